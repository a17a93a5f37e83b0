/* leadwire.h: the public C interface of a generated model. One header for every backend; an application that includes
 * it and the generated "model.h" compiles unchanged against leadwire's own interpreter-free code and TFLite Micro.
 *
 * Use:   LW_MODEL.init();
 *        write LW_MODEL.inputs[i].data            (quantized with scale and zero_point)
 *        if (LW_MODEL.infer() == LW_OK) read LW_MODEL.outputs[i].data
 *
 * real = scale * (quantized - zero_point). A value is int8, or int16 where item_bytes is 2: LW_MODEL_INPUT_i_TYPE of
 * "model.h" is its type, and `data` is aligned for it; as bytes, int16 is in the machine's order. All buffers lie in one static arena: an output is valid until the next
 * write to an input or the next infer(). Not reentrant. No heap, no recursion, no stdio, no libm.
 */
#ifndef LEADWIRE_H
#define LEADWIRE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LW_MAX_RANK 5
#define LW_DIGEST_BYTES 32

typedef enum {
    LW_OK = 0,
    LW_ERROR_NOT_INITIALIZED = 1, /* infer() or step() before init() */
    LW_ERROR_ARENA_TOO_SMALL = 2, /* the static arena cannot hold the model */
    LW_ERROR_OPERATOR = 3,        /* an operator failed to prepare or run */
    LW_ERROR_SELF_TEST = 4,       /* the golden self-test gave other bytes */
    LW_ERROR_ARGUMENT = 5,        /* operator index out of range */
    LW_ERROR_SCHEMA = 6,          /* TFLite Micro reads another version of the .tflite schema */
    LW_ERROR_MISSING_OPERATOR = 7, /* an operator of the model is not registered or not in the library */
    LW_ERROR_INTERFACE = 8,       /* an input or output is not what the generated header says */
    LW_ERROR_NOT_SUPPORTED = 9    /* this build cannot: step() needs LW_WITH_OPERATOR_TABLE with TFLite Micro */
} lw_status;

/* One input or output buffer. */
typedef struct {
    const char *name;
    int8_t *data;
    uint32_t bytes;
    int32_t dims[LW_MAX_RANK]; /* rank entries used */
    uint8_t rank;
    uint8_t item_bytes; /* of a value: 1 is int8, 2 is int16, 4 is int32 (an index, scale 1) */
    float scale;
    int32_t zero_point;
} lw_tensor;

/* One output of an operator, valid right after its step(); 0 bytes where it is not made, but done by those that read it. */
typedef struct {
    const int8_t *data;
    uint32_t bytes;
} lw_operator_output;

/* One operator, for profiling and for finding the first that differs. */
typedef struct {
    const char *kind; /* TFLite's name, "CONV_2D" */
    const lw_operator_output *outputs;
    uint16_t output_count;
} lw_operator;

/* What init() found the arena to hold. */
typedef struct {
    uint32_t used_bytes;   /* in use after init(); TFLite Micro's arena_used_bytes() */
    uint32_t needed_bytes; /* at the peak of init() and infer(); after LW_ERROR_ARENA_TOO_SMALL at least so much */
} lw_arena_use;

typedef struct {
    const char *name;
    const char *generator;                  /* "leadwire 0.1.0 aot" */
    uint8_t digest[LW_DIGEST_BYTES];        /* SHA-256 of the .tflite file */
    uint32_t arena_bytes;
    uint16_t input_count;
    uint16_t output_count;
    uint16_t operator_count;
    uint16_t label_count;                   /* 0 where the model has no class names */
    const lw_tensor *inputs;
    const lw_tensor *outputs;
    const lw_operator *operators;           /* NULL unless built with LW_WITH_OPERATOR_TABLE */
    const char *const *labels;
    lw_status (*init)(void);
    lw_status (*infer)(void);               /* all operators in order */
    lw_status (*step)(uint16_t index);      /* one operator; call in order from 0 to operator_count - 1 */
    lw_status (*self_test)(void);           /* golden input through the model, output compared byte by byte */
    lw_status (*last_error)(void);
    const lw_arena_use *arena_use;          /* NULL where all of arena_bytes is used, known before anything runs */
} lw_model;

#ifdef __cplusplus
}
#endif

#endif /* LEADWIRE_H */
