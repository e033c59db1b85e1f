//! Adadelta against its definition in float64.

use flex_kernels::adadelta::{Rule, step};
use proptest::prelude::*;

use crate::support::{Numbers, assert_close, cases, double, on_every_instruction_set};

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn three_steps(length in prop_oneof![1..=70_usize, 16_380..=16_400_usize, Just(40_000_usize)],
                   decay in prop_oneof![Just(0.0_f32), Just(0.25)],
                   seed in any::<u64>()) {
        let rule = Rule { learning_rate: 0.5, keep: 0.875, take: 0.125, epsilon: 1e-6, weight_decay: decay };
        let mut numbers = Numbers::new(seed);
        let start = numbers.vector(length);
        let gradients: Vec<Vec<f32>> = (0..3).map(|_| numbers.vector(length)).collect();

        let results = on_every_instruction_set(|isa| {
            let (mut x, mut squares, mut updates) = (start.clone(), vec![0.0; length], vec![0.0; length]);
            for gradient in &gradients {
                step(isa, rule, &mut x, gradient, &mut squares, &mut updates);
            }
            vec![x, squares, updates]
        });

        let (mut x, mut squares, mut updates) = (double(&start), vec![0.0; length], vec![0.0; length]);
        let epsilon = f64::from(rule.epsilon);
        for gradient in &gradients {
            for (index, &gradient) in gradient.iter().enumerate() {
                let gradient = f64::from(gradient) + f64::from(decay) * x[index];
                squares[index] = 0.875 * squares[index] + 0.125 * gradient * gradient;
                let quotient: f64 = (updates[index] + epsilon) / (squares[index] + epsilon);
                let update = quotient.sqrt() * gradient;
                updates[index] = 0.875 * updates[index] + 0.125 * update * update;
                x[index] -= 0.5 * update;
            }
        }
        for ((found, expected), name) in results.iter().zip([x, squares, updates]).zip(["x", "squares", "updates"]) {
            assert_close(found, &expected, 1e-6, name);
        }
    }
}
