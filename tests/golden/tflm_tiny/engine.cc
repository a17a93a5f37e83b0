/* leadwire 0.1.0 tflm, model 'tiny' sha256 00c54734835368f8315383456f232a7fac561220d563dbbc79dfc0c4d89de5fc: TensorFlow Lite Micro behind leadwire.h.
 *
 * No heap, exceptions, RTTI or static constructors: what has a constructor is made in its own static place by init(). */
#ifndef TF_LITE_STATIC_MEMORY
#define TF_LITE_STATIC_MEMORY /* as TensorFlow Lite Micro itself is compiled: it decides how structures look */
#endif

#include "engine.h"

#include <setjmp.h>
#include <stddef.h>

#include <new>
#include <type_traits>
#include <utility>

#include "model_data.h"
#include "tensorflow/lite/micro/arena_allocator/single_arena_buffer_allocator.h"
#include "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "tensorflow/lite/schema/schema_utils.h"

#include "op_resolver.h"

using namespace tflite::micro;

static_assert(LW_ARENA_BYTES >= LW_ARENA_NEEDED_BYTES,
    "LW_ARENA_BYTES is too small: 1664 bytes are needed, with CMSIS-NN 1760, on 64 bits 2320");

namespace {

constexpr uint16_t EVERY_OPERATOR = 0xFFFF;

alignas(16) uint8_t arena[LW_ARENA_BYTES];
size_t needed;        /* most bytes of the arena that were asked for at once */
bool leave_when_full; /* while init() runs */
jmp_buf arena_is_full;

lw_status state = LW_ERROR_NOT_INITIALIZED;
lw_status last = LW_ERROR_NOT_INITIALIZED;

/* TensorFlow Lite Micro's allocator, that keeps the high-water mark and leaves init() at once when the arena is full:
 * kernels do not look at what they get before they write to it. */
class Allocator : public tflite::SingleArenaBufferAllocator {
  public:
    Allocator(uint8_t *buffer, size_t size) : SingleArenaBufferAllocator(buffer, size) {}

    uint8_t *AllocatePersistentBuffer(size_t size, size_t alignment) override
    {
        return checked(SingleArenaBufferAllocator::AllocatePersistentBuffer(size, alignment), GetUsedBytes() + size);
    }

    uint8_t *AllocateTemp(size_t size, size_t alignment) override
    {
        if (size != 0u && size == GetAvailableMemory(alignment)) { /* the planner asks for all that is left */
            return SingleArenaBufferAllocator::AllocateTemp(size, alignment);
        }
        return checked(SingleArenaBufferAllocator::AllocateTemp(size, alignment), GetUsedBytes() + size);
    }

    TfLiteStatus ResizeBuffer(uint8_t *buffer, size_t size, size_t alignment) override
    {
        const TfLiteStatus status = SingleArenaBufferAllocator::ResizeBuffer(buffer, size, alignment);
        (void)checked(status == kTfLiteOk ? arena : nullptr, GetPersistentUsedBytes() + size);
        return status;
    }

  private:
    void operator delete(void *) {} /* what a virtual destructor asks for; nothing is ever deleted */

    /* `asked`: bytes in use if there were room enough. */
    uint8_t *checked(uint8_t *buffer, size_t asked)
    {
        const size_t total = buffer == nullptr ? asked : GetUsedBytes();
        if (total > needed) {
            needed = total;
        }
        if (buffer == nullptr && leave_when_full) {
            longjmp(arena_is_full, 1);
        }
        return buffer;
    }
};

static_assert(sizeof(Allocator) == sizeof(tflite::SingleArenaBufferAllocator), "it lies in the arena as theirs would");

/* Room for an object whose constructor is to run when init() says so. */
template <typename T>
struct Place {
    alignas(T) uint8_t bytes[sizeof(T)];
};

Place<lw_tiny_resolver> resolver_place;
Place<tflite::MicroInterpreter> interpreter_place;
tflite::MicroInterpreter *interpreter;

#ifdef LW_WITH_OPERATOR_TABLE

constexpr tflite::BuiltinOperator kinds[lw_tiny_kinds] = {
    tflite::BuiltinOperator_CONV_2D,
    tflite::BuiltinOperator_FULLY_CONNECTED,
    tflite::BuiltinOperator_MEAN,
    tflite::BuiltinOperator_RESHAPE,
    tflite::BuiltinOperator_SOFTMAX,
};

/* Position in `kinds` of each operator. */
constexpr uint8_t kind_of[LW_MODEL_TINY_OPERATORS] = {
    3, 0, 2, 1, 4,
};

/* TFLMRegistration, or its earlier name. */
using Found = decltype(std::declval<const tflite::MicroOpResolver &>().FindOp(""));
using Registration = std::remove_cv_t<std::remove_pointer_t<Found>>;

TfLiteStatus (*kernels[lw_tiny_kinds])(TfLiteContext *context, TfLiteNode *node);
uint16_t turn;   /* the operator whose turn it is in this run */
uint16_t wanted; /* the only one to run, or EVERY_OPERATOR */
lw_operator_hook on_operator;

/* Stands in for every kernel: runs it where it is wanted, and notes where its outputs lie. */
TfLiteStatus run_operator(TfLiteContext *context, TfLiteNode *node)
{
    const uint16_t index = turn++;
    if (wanted != EVERY_OPERATOR && wanted != index) {
        return kTfLiteOk;
    }
    if (on_operator != nullptr) {
        on_operator(index, 0);
    }
    const TfLiteStatus status = kernels[kind_of[index]](context, node);
    if (on_operator != nullptr) {
        on_operator(index, 1);
    }
    const lw_operator &op = lw_model_tiny.operators[index];
    lw_operator_output *const outputs = lw_tiny_operator_outputs + (op.outputs - lw_tiny_operator_outputs);
    for (uint16_t i = 0; i < op.output_count; i++) {
        outputs[i].data = context->GetEvalTensor(context, node->outputs->data[i])->data.int8;
    }
    return status;
}

/* The resolver with run_operator() in place of each kernel. */
class Watched : public tflite::MicroOpResolver {
  public:
    explicit Watched(const lw_tiny_resolver &resolver) : resolver_(resolver)
    {
        for (size_t i = 0; i < lw_tiny_kinds; i++) {
            registrations_[i] = *resolver.lw_tiny_resolver::FindOp(kinds[i]);
            kernels[i] = registrations_[i].invoke;
            registrations_[i].invoke = run_operator;
        }
    }

    const Registration *FindOp(tflite::BuiltinOperator op) const override
    {
        for (size_t i = 0; i < lw_tiny_kinds; i++) {
            if (kinds[i] == op) {
                return &registrations_[i];
            }
        }
        return nullptr;
    }

    const Registration *FindOp(const char *op) const override { return resolver_.FindOp(op); }

    tflite::TfLiteBridgeBuiltinParseFunction GetOpDataParser(tflite::BuiltinOperator op) const override
    {
        return resolver_.GetOpDataParser(op);
    }

  private:
    void operator delete(void *) {} /* what a virtual destructor asks for; nothing is ever deleted */

    const lw_tiny_resolver &resolver_;
    Registration registrations_[lw_tiny_kinds];
};

Place<Watched> watched_place;

const tflite::MicroOpResolver &watched(const lw_tiny_resolver &resolver)
{
    return *new (watched_place.bytes) Watched(resolver);
}

#else

const tflite::MicroOpResolver &watched(const lw_tiny_resolver &resolver)
{
    return resolver;
}

#endif

/* The call names its class: GCC 12 at -O3 takes a wrong turn when it guesses the target of a virtual call on an object
 * that was made in a static place. */
bool has_every_operator(const tflite::Model &model, const lw_tiny_resolver &resolver)
{
    for (const tflite::Operator *op : *model.subgraphs()->Get(0)->operators()) {
        const tflite::OperatorCode *code = model.operator_codes()->Get(op->opcode_index());
        if (resolver.lw_tiny_resolver::FindOp(tflite::GetBuiltinCode(code)) == nullptr) {
            return false;
        }
    }
    return true;
}

lw_status connect(lw_tensor &tensor, TfLiteTensor *found)
{
    const TfLiteType type = tensor.item_bytes == 4 ? kTfLiteInt32 : tensor.item_bytes == 2 ? kTfLiteInt16 : kTfLiteInt8;
    if (found == nullptr || found->type != type || found->bytes != tensor.bytes) {
        return LW_ERROR_INTERFACE;
    }
    tensor.data = found->data.int8;
    return LW_OK;
}

lw_status connect_all()
{
    if (interpreter->inputs_size() != 1 || interpreter->outputs_size() != 1) {
        return LW_ERROR_INTERFACE;
    }
    lw_status status = LW_OK;
    for (size_t i = 0; i < 1 && status == LW_OK; i++) {
        status = connect(lw_tiny_inputs[i], interpreter->input(i));
    }
    for (size_t i = 0; i < 1 && status == LW_OK; i++) {
        status = connect(lw_tiny_outputs[i], interpreter->output(i));
    }
    return status;
}

/* May end in arena_is_full. The arena is laid out as TensorFlow Lite Micro's own constructor does. */
lw_status set_up()
{
    const tflite::Model *model = tflite::GetModel(lw_tiny_data);
    if (model->version() != TFLITE_SCHEMA_VERSION) {
        return LW_ERROR_SCHEMA;
    }
    auto *resolver = new (resolver_place.bytes) lw_tiny_resolver;
    if (!lw_tiny_register(*resolver) || !has_every_operator(*model, *resolver)) {
        return LW_ERROR_MISSING_OPERATOR;
    }
    Allocator first(arena, sizeof arena);
    auto *allocator = new (first.AllocatePersistentBuffer(sizeof(Allocator), alignof(Allocator))) Allocator(first);
    auto *planner = new (allocator->AllocatePersistentBuffer(sizeof(tflite::GreedyMemoryPlanner),
        alignof(tflite::GreedyMemoryPlanner))) tflite::GreedyMemoryPlanner;
    interpreter = new (interpreter_place.bytes) tflite::MicroInterpreter(
        model, watched(*resolver), tflite::MicroAllocator::Create(allocator, planner));
    if (interpreter->AllocateTensors() != kTfLiteOk) {
        return sizeof arena < LW_ARENA_NEEDED_BYTES ? LW_ERROR_ARENA_TOO_SMALL : LW_ERROR_OPERATOR;
    }
    return connect_all();
}

lw_status invoke(uint16_t only)
{
    if (state != LW_OK) {
        return state;
    }
#ifdef LW_WITH_OPERATOR_TABLE
    turn = 0;
    wanted = only;
#else
    (void)only;
#endif
    last = interpreter->Invoke() == kTfLiteOk ? LW_OK : LW_ERROR_OPERATOR;
    return last;
}

} // namespace

lw_status lw_tiny_init(void)
{
    needed = 0;
    leave_when_full = true;
    state = setjmp(arena_is_full) == 0 ? set_up() : LW_ERROR_ARENA_TOO_SMALL;
    leave_when_full = false;
    lw_tiny_arena_use.used_bytes = state == LW_OK ? static_cast<uint32_t>(interpreter->arena_used_bytes()) : 0u;
    lw_tiny_arena_use.needed_bytes =
        static_cast<uint32_t>(needed > LW_ARENA_NEEDED_BYTES ? needed : LW_ARENA_NEEDED_BYTES);
    last = state;
    return state;
}

lw_status lw_tiny_infer(void)
{
    return invoke(EVERY_OPERATOR);
}

lw_status lw_tiny_step(uint16_t index)
{
    if (index >= LW_MODEL_TINY_OPERATORS) {
        return LW_ERROR_ARGUMENT;
    }
#ifdef LW_WITH_OPERATOR_TABLE
    return invoke(index);
#else
    return LW_ERROR_NOT_SUPPORTED;
#endif
}

lw_status lw_tiny_last_error(void)
{
    return last;
}

#ifdef LW_WITH_OPERATOR_TABLE
void lw_tiny_set_operator_hook(lw_operator_hook hook)
{
    on_operator = hook;
}
#endif
