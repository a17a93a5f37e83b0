"""The frozen model: tensors (`tensor`), operators and graph (`graph`), and the reader of .tflite files (`tflite`)."""
