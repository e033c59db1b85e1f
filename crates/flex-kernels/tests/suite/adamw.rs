//! AdamW against its definition in float64.

use flex_kernels::adamw::{Rule, step, sum_of_squares};
use proptest::prelude::*;

use crate::support::{Numbers, assert_close, cases, double, on_every_instruction_set};

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn three_steps(length in prop_oneof![1..=70_usize, 16_380..=16_400_usize, Just(40_000_usize)],
                   decay in prop_oneof![Just(0.0), Just(0.25)],
                   seed in any::<u64>()) {
        let (learning_rate, [beta, beta_square], epsilon, clip) = (0.5, [0.9, 0.999], 1e-8, 0.75);
        let mut numbers = Numbers::new(seed);
        let start = numbers.vector(length);
        let gradients: Vec<Vec<f32>> = (0..3).map(|_| numbers.vector(length)).collect();

        let results = on_every_instruction_set(|isa| {
            let (mut x, mut averages, mut squares) = (start.clone(), vec![0.0; length], vec![0.0; length]);
            for (index, gradient) in (1..).zip(&gradients) {
                let rule = Rule::new(learning_rate, [beta, beta_square], epsilon, decay, index, clip);
                step(isa, rule, &mut x, gradient, &mut averages, &mut squares);
            }
            let norm = sum_of_squares(isa, &start);
            vec![x, averages, squares, vec![norm as f32]]
        });

        let (mut x, mut averages, mut squares) = (double(&start), vec![0.0; length], vec![0.0; length]);
        for (number, gradient) in (1..).zip(&gradients) {
            for (index, &gradient) in gradient.iter().enumerate() {
                let gradient = f64::from(gradient) * clip;
                averages[index] = beta * averages[index] + (1.0 - beta) * gradient;
                squares[index] = beta_square * squares[index] + (1.0 - beta_square) * gradient * gradient;
                let average = averages[index] / (1.0 - beta.powi(number));
                let square: f64 = squares[index] / (1.0 - beta_square.powi(number));
                x[index] *= 1.0 - learning_rate * decay;
                x[index] -= learning_rate * average / (square.sqrt() + epsilon);
            }
        }
        let norm = vec![double(&start).iter().map(|value| value * value).sum()];
        let expected = [x, averages, squares, norm];
        for ((found, expected), name) in results.iter().zip(expected).zip(["x", "averages", "squares", "norm"]) {
            assert_close(found, &expected, 2e-6, name);
        }
    }
}
