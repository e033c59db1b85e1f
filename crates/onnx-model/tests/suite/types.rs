//! Numbers of the format, against `onnx.proto` and `onnx.helper.VERSION_TABLE` of onnx 1.23.

use onnx_model::{DataType, Tensor, TensorError, ir_version_for_opset};

#[test]
fn element_types_have_the_numbers_and_names_of_the_format() {
    let names = "float uint8 int8 uint16 int16 int32 int64 string bool float16 double uint32 uint64 complex64 complex128 \
                 bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz uint4 int4 float4e2m1 float8e8m0 uint2 \
                 int2";
    for (index, name) in names.split_whitespace().enumerate() {
        let dtype = DataType::from_name(name).expect(name);
        assert_eq!(dtype.number(), index as i32 + 1, "{name}");
        assert_eq!((DataType::from_number(dtype.number()), dtype.to_string()), (Some(dtype), name.to_owned()));
    }
    for number in [0, -1, 27, i32::MAX, i32::MIN] {
        assert_eq!(DataType::from_number(number), None);
    }
}

#[test]
fn small_elements_share_bytes() {
    assert_eq!(DataType::I4.byte_len(3), Some(2));
    assert_eq!(DataType::U2.byte_len(5), Some(2));
    assert_eq!(DataType::BF16.byte_len(3), Some(6));
    assert_eq!((DataType::String.byte_len(1), DataType::F64.byte_len(u64::MAX)), (None, None));
}

#[test]
fn each_opset_has_the_format_version_of_its_release() {
    #[rustfmt::skip]
    let releases = [
        (7, 3), (8, 3), (9, 4), (10, 5), (11, 6), (12, 7), (13, 7), (14, 7), (15, 8), (16, 8), (17, 8), (18, 8), (19, 9),
        (20, 9), (21, 10), (22, 10), (23, 11), (24, 12), (25, 13), (26, 13), (27, 13), (28, 14),
    ];
    for (opset, ir) in releases {
        assert_eq!(ir_version_for_opset(opset), ir, "opset {opset}");
    }
}

#[test]
fn tensors_say_what_does_not_fit() {
    let wrong = Tensor::from_slice("w", [2, 2], &[1.0f32; 3]);
    assert!(matches!(wrong, Err(TensorError::Length { expected: 16, found: 12, .. })));
    let huge = Tensor::new("w", DataType::U8, [u64::MAX, 2], Vec::new());
    assert!(matches!(huge, Err(TensorError::Overflow { .. })));
    assert!(Tensor::new("w", DataType::U8, [u64::MAX, 0, 2], Vec::new()).is_ok());
    let vector = Tensor::vector("w", &[1i32, 2]);
    assert!(matches!(vector.to_vec::<f32>(), Err(TensorError::Type { found: DataType::I32, .. })));
    assert_eq!(vector.to_i64s(), Ok(vec![1, 2]));
}
