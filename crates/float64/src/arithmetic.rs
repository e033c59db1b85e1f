//! Numbers by numbers, and sums over axes.

use super::form::{Family, Form};

#[rustfmt::skip]
pub const FAMILY: Family = &[
    (&["Abs", "Add", "Ceil", "CumProd", "CumSum", "Div", "Einsum", "Exp", "Floor", "Gemm", "Identity", "Log", "MatMul", "Max", "Min",
       "Mod", "Mul", "Neg", "Pow", "Reciprocal", "Round", "Sign", "Sqrt", "Sub", "Sum"], 0, Form::Native),
    (&["And", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Equal", "Greater", "GreaterOrEqual", "IsInf",
       "IsNaN", "Less", "LessOrEqual", "Not", "Or", "Where", "Xor"], 0, Form::Native),
    (&["ArgMax", "ArgMin", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
       "ReduceProd", "ReduceSum", "ReduceSumSquare"], 0, Form::Native),
    (&["DFT", "NegativeLogLikelihoodLoss", "STFT", "SoftmaxCrossEntropyLoss"], 0, Form::Native),
    (&["RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer"], 0, Form::Native),
    (&["Mean"], 0, Form::One(|step| {
        let inputs = step.inputs();
        Ok(step.writer.sum(&inputs) / inputs.len() as f64)
    })),
    (&["Cast"], 0, Form::Typed("to")),
    (&["CastLike"], 0, Form::Native),
];
