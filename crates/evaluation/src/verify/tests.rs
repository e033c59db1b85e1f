use super::*;
use engines::engine::{Placement, Signature};
use engines::tensor::{Elements, Tensor};

/// Gives the same outputs whatever it is given.
struct Giving(&'static str, Vec<NamedTensor>);

impl Engine for Giving {
    fn name(&self) -> &str {
        self.0
    }

    fn signature(&self) -> &Signature {
        unreachable!("nobody asks")
    }

    fn run(&mut self, _: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        Ok(self.1.clone())
    }

    fn placement(&mut self, _: &[NamedTensor]) -> Result<Placement, EngineError> {
        unreachable!("nobody asks")
    }
}

fn giving(name: &'static str, outputs: &[(&str, Elements)]) -> Giving {
    let output = |(name, elements): &(&str, Elements)| {
        NamedTensor::new(*name, Tensor::new([elements.len()], elements.clone()).unwrap())
    };
    Giving(name, outputs.iter().map(output).collect())
}

fn cases() -> Vec<(String, Vec<NamedTensor>)> {
    vec![("batch 2".to_owned(), Vec::new())]
}

/// The exact result is (1, 2, 1, 2); the others are off by something, and the candidate's output has this shape.
fn verified(candidate: f32, native: f32, shape: &[usize]) -> Verification {
    let values = |error: f32| [1.0 + error, 2.0 + error].repeat(2);
    let output = NamedTensor::new("y", Tensor::new(shape, values(candidate)).unwrap());
    verify(
        &mut Giving("candidate", vec![output]),
        &mut giving("native", &[("y", values(native).into())]),
        &mut giving("exact", &[("y", vec![1.0_f64, 2.0, 1.0, 2.0].into())]),
        &cases(),
    )
    .unwrap()
}

#[test]
fn an_engine_may_stray_four_times_as_far_as_the_framework() {
    let within = verified(0.375, 0.125, &[4]);
    assert!(within.passed);
    assert_eq!((within.native_error, within.cases[0].outputs[0].limit), (0.125, 0.5));
    assert_eq!((within.cases[0].error, within.cases[0].difference), (0.375, 0.25));
    assert!(!verified(0.625, 0.125, &[4]).passed);
    // By hand: 0.375 of 2, and in units of 2^-22; (1.375, 2.375) against (1, 2), twice.
    let output = &within.cases[0].outputs[0];
    assert_eq!((output.absolute, output.relative, output.ulp), (0.375, 0.1875, 0.375 * 2.0_f64.powi(22)));
    let cosine = (1.375 + 4.75) / (5.0_f64 * (1.375 * 1.375 + 2.375 * 2.375)).sqrt();
    assert!((output.cosine.unwrap() - cosine).abs() < 1e-15);
    assert_eq!((output.not_finite, output.native), (0, 0.125));
}

#[test]
fn a_failure_survives_its_report() {
    let failed = verified(f32::NAN, 0.125, &[4]);
    assert_eq!(failed.cases[0].outputs[0].not_finite, 4);
    let json = serde_json::to_string(&failed).unwrap();
    assert_eq!(serde_json::from_str::<Verification>(&json).unwrap(), failed);
}

#[test]
fn an_exact_framework_leaves_four_units_in_the_last_place() {
    // The largest output is 2, where neighbours are 2^-22 apart.
    let ulp = 2.0_f32.powi(-22);
    assert!(verified(4.0 * ulp, 0.0, &[4]).passed);
    assert!(!verified(5.0 * ulp, 0.0, &[4]).passed);
}

#[test]
fn no_numbers_and_other_shapes_fail() {
    assert!(!verified(f32::NAN, 0.125, &[4]).passed);
    assert!(!verified(0.0, 0.125, &[1, 4]).passed);
    // A framework that gives no numbers itself proves nothing.
    assert!(!verified(0.0, f32::NAN, &[4]).passed);
}

#[test]
fn every_output_is_measured_by_itself() {
    let exact = [("boxes", vec![512.0_f64; 4].into()), ("scores", vec![0.5_f64; 4].into())];
    let native = [("boxes", vec![512.25_f32; 4].into()), ("scores", vec![0.5_f32 + 2.0_f32.powi(-20); 4].into())];
    let judge = |scores: f32| {
        let mut found =
            giving("candidate", &[("boxes", vec![513.0_f32; 4].into()), ("scores", vec![scores; 4].into())]);
        verify(&mut found, &mut giving("native", &native), &mut giving("exact", &exact), &cases()).unwrap()
    };
    assert!(judge(0.5 + 2.0_f32.powi(-18)).passed);
    let failed = judge(0.5 + 2.0_f32.powi(-17));
    let message = failed.failed("tract").unwrap();
    assert_eq!(message, "tract deviates by 7.63e-6 from float64 in `scores` (batch 2), and 3.81e-6 is the limit");
    assert_eq!(failed.worst().unwrap().1.used(), 2.0);
    let expected = Expected::of(&mut giving("native", &native), &mut giving("exact", &exact), cases(), |_| ());
    let mut found = giving("candidate", &[("boxes", vec![516.0_f32; 4].into()), ("scores", vec![0.5_f32; 4].into())]);
    assert!(expected.unwrap().multiple(16.0).judge(&mut found).unwrap().passed);
}

#[test]
fn without_float64_a_share_of_the_largest_value_is_the_limit() {
    let native = [("y", Elements::from(vec![-4.0_f32, f32::INFINITY])), ("class", vec![100_i64].into())];
    let expected = Expected::apart(0.125, &mut giving("ort:cpu", &native), cases(), |_| ()).unwrap();
    assert_eq!(
        (expected.share_of("batch 2", "y"), expected.share_of("batch 2", "class"), expected.not_finite()),
        (0.125, 0.0, Some("batch 2"))
    );
    let judge = |y: Elements, class: Elements| {
        expected.judge(&mut giving("tract", &[("y", y), ("class", class)])).unwrap().failed("tract")
    };
    let infinite = f32::INFINITY;
    assert_eq!(judge(vec![-3.5, infinite].into(), vec![100_i64].into()), None);
    let far = judge(vec![-3.0, infinite].into(), vec![100_i64].into()).unwrap();
    assert_eq!(far, "tract deviates by 1.00e0 from ort:cpu in `y` (batch 2), and 5.00e-1 is the limit");
    assert!(judge(vec![-4.0_f32, 3.0].into(), vec![100_i64].into()).unwrap().contains("1 values of `y`"));
    assert!(judge(vec![-4.0, infinite].into(), vec![101_i64].into()).unwrap().contains("in `class`"));
    let form = judge(vec![-4.0, infinite].into(), vec![100_i32].into()).unwrap();
    assert_eq!(form, "tract gives `class` as int32 [1] and not int64 [1] (batch 2)");
}

/// Whole numbers are float32's or float64's: a choice between two that are nearly the same may fall either way.
#[test]
fn whole_numbers_are_those_of_either_precision() {
    let judge = |class: i64| {
        let (native, exact) = (vec![7_i64, 1 << 60], vec![9_i64, 1 << 60]);
        let mut found = giving("tract", &[("class", vec![class, 1 << 60].into())]);
        let (mut native, mut exact) =
            (giving("a", &[("class", native.into())]), giving("b", &[("class", exact.into())]));
        verify(&mut found, &mut native, &mut exact, &cases()).unwrap()
    };
    assert!(judge(7).passed && judge(9).passed);
    assert_eq!((judge(8).passed, judge(8).cases[0].outputs[0].absolute), (false, 1.0));
    // float64 cannot tell these apart.
    let mut found = giving("tract", &[("class", vec![(1_i64 << 60) + 1].into())]);
    let right = || giving("a", &[("class", vec![1_i64 << 60].into())]);
    assert!(!verify(&mut found, &mut right(), &mut right(), &cases()).unwrap().passed);
}

#[test]
fn an_output_of_which_float64_says_nothing_has_a_limit_of_its_own() {
    let native =
        [("big", vec![f32::INFINITY, 2.0].into()), ("wide", vec![1.0_f64].into()), ("y", vec![1.5_f32; 4].into())];
    let exact = [("big", vec![1e40_f64, 2.0].into()), ("wide", vec![1.0_f64].into()), ("y", vec![1.0_f64; 4].into())];
    let expected = Expected::of(&mut giving("a", &native), &mut giving("b", &exact), cases(), |_| ()).unwrap();
    let (expected, other) = expected.fall_back(0.25);
    assert_eq!(other, [("big".to_owned(), vec!["batch 2".to_owned()])]);
    let share_of = |output: &str| expected.share_of("batch 2", output);
    assert_eq!((share_of("big"), share_of("y")), (0.25, 2.0));
    // The units of float64 are 2^29 times as fine.
    assert_eq!(share_of("wide"), 0.25 / 2.0_f64.powi(29));
    assert_eq!(expected.widest(9.0), Some(Widest { output: "y", case: "batch 2", share: 2.0 }));
    assert_eq!(expected.widest(1.0).unwrap().output, "big");
    assert!(expected.judge(&mut giving("a", &native)).unwrap().passed);
    assert!(expected.unproven(false, 0).iter().all(|told| !told.contains("zero") && !told.contains("empty")));
    // A share of the user's own holds for all.
    let expected = expected.share(0.5);
    assert_eq!(["big", "wide", "y"].map(|output| expected.share_of("batch 2", output)), [0.5; 3]);
    let zero = [("y", vec![0.0_f32].into()), ("none", Vec::<f32>::new().into())];
    let expected = Expected::apart(0.1, &mut giving("a", &zero), cases(), |_| ()).unwrap();
    assert_eq!(
        expected.unproven(false, 0),
        ["every value of `y` is zero in every case", "`none` is empty in every case"]
    );
}

#[test]
fn a_share_can_take_the_place_of_what_float32_strays() {
    let native = || giving("native", &[("y", vec![1.0_f32, 2.0].into())]);
    let mut exact = giving("exact", &[("y", vec![1.0_f64, 2.0].into())]);
    let expected = Expected::of(&mut native(), &mut exact, cases(), |_| ()).unwrap();
    let mut off = giving("off", &[("y", vec![1.0_f32, 2.25].into())]);
    assert!(!expected.judge(&mut off).unwrap().passed);
    let expected = expected.share(0.125);
    assert!(expected.judge(&mut off).unwrap().passed);
    assert_eq!(
        Rule::Share(0.125).criterion("burn"),
        "No engine deviates from burn in float64 by more than 1.2e-1 of the largest value"
    );
}

/// A limit larger than the output lets it be anything, its negation too.
#[test]
fn a_limit_beyond_the_output_proves_nothing_unless_it_is_asked_for() {
    let expected = || {
        let (native, exact) = ([("y", vec![0.875_f32; 4].into())], [("y", vec![1.0_f64; 4].into())]);
        Expected::of(&mut giving("native", &native), &mut giving("exact", &exact), cases(), |_| ()).unwrap()
    };
    let told = expected().multiple(16.0).unproven(false, 0);
    assert!(told.len() == 1 && told[0].starts_with("the limit of `y` is 200 % of its largest value"), "{told:?}");
    assert!(expected().multiple(16.0).unproven(true, 0).is_empty());
    assert!(expected().multiple(16.0).capped(0.05, 0.0).unproven(false, 0).is_empty());
    // What the reference itself deviates is lawful.
    assert_eq!(expected().multiple(16.0).capped(0.05, 1.0).share_of("batch 2", "y"), 0.125);
}

/// Gives the outputs of each case in their order, again and again.
struct InTurn(Vec<Giving>, usize);

impl Engine for InTurn {
    fn name(&self) -> &str {
        self.0[0].name()
    }

    fn signature(&self) -> &Signature {
        unreachable!("nobody asks")
    }

    fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        let turn = self.1 % self.0.len();
        self.1 += 1;
        let refused = || EngineError::Run { engine: "a".to_owned(), reason: "it does not run at this size".to_owned() };
        Some(self.0[turn].run(inputs)?).filter(|outputs| !outputs.is_empty()).ok_or_else(refused)
    }

    fn placement(&mut self, _: &[NamedTensor]) -> Result<Placement, EngineError> {
        unreachable!("nobody asks")
    }
}

fn in_turn(values: [Elements; 2]) -> InTurn {
    InTurn(values.map(|values| giving("a", &[("y", values)])).into(), 0)
}

fn two_cases() -> Vec<(String, Vec<NamedTensor>)> {
    ["own.safetensors", "batch=7"].map(|label| (label.to_owned(), Vec::new())).to_vec()
}

/// By hand: float32 deviates by 0.125 in the first case and by 64 of 1 in the second, so the limits are 16 times that.
#[test]
fn a_case_with_a_wide_limit_widens_no_other() {
    let mut native = in_turn([vec![64.125_f32; 4].into(), vec![65.0_f32; 4].into()]);
    let mut exact = in_turn([vec![64.0_f64; 4].into(), vec![1.0_f64; 4].into()]);
    let expected = Expected::of(&mut native, &mut exact, two_cases(), |_| ()).unwrap().multiple(16.0);
    let judge = |own: f32| {
        expected.judge(&mut in_turn([vec![own; 4].into(), vec![900.0_f32; 4].into()])).unwrap().failed("tract")
    };
    assert_eq!(judge(66.0), None);
    let message = judge(67.0).unwrap();
    assert_eq!(message, "tract deviates by 3.00e0 from float64 in `y` (own.safetensors), and 2.00e0 is the limit");
    // What the second case lets pass is told, and the first proves something.
    assert_eq!(expected.wide(), [("y".to_owned(), vec!["batch=7".to_owned()])]);
    assert!(expected.unproven(false, 0).is_empty() && expected.unproven(false, 1).is_empty());
    // A case of the user's own that proves nothing is not made up for by another.
    let told = expected.unproven(false, 2);
    assert!(
        told.len() == 1 && told[0].starts_with("the limit of `y` is 102400 % of its largest value (batch=7)"),
        "{told:?}"
    );
}

/// With few values float32 may be nearly exact by luck: the limits of 1, 2 and 3 values are 16 times, 4 times and 2.5 times as wide, as
/// long as they stay below 4 times 4 units in the last place. An error of two units may be luck, one of 8,192 is none.
#[test]
fn an_output_of_few_values_has_a_wider_limit() {
    let share = |values: usize, error: f64| {
        let mut native = giving("a", &[("y", vec![(1.0 + error) as f32; values].into())]);
        let mut exact = giving("b", &[("y", vec![1.0_f64; values].into())]);
        let expected = Expected::of(&mut native, &mut exact, cases(), |_| ()).unwrap();
        expected.share_of("batch 2", "y")
    };
    let unit = f64::from(f32::EPSILON);
    for (values, units) in [(1, 16.0), (2, 16.0), (3, 16.0), (4, 8.0)] {
        assert!((share(values, 2.0 * unit) - units * unit).abs() < 1e-15, "{values}: {}", share(values, 2.0 * unit));
        assert_eq!(share(values, 8192.0 * unit), 4.0 * 8192.0 * unit, "{values}");
    }
    for (values, units) in [(2, 16.0), (3, 4.0 * 16.0_f64.cbrt()), (4, 4.0)] {
        assert!((share(values, unit) - units * unit).abs() < 1e-15, "{values}: {}", share(values, unit));
    }
}

#[test]
fn a_case_that_float64_refuses_leaves_the_others_their_standard() {
    let exact = || InTurn(vec![giving("b", &[("y", vec![2.0_f64; 4].into())]), giving("b", &[])], 0);
    let native = || in_turn([vec![2.125_f32; 4].into(), vec![8.0_f32; 4].into()]);
    let made = Expected::where_exact(0.25, &mut native(), &mut exact(), two_cases(), |_| ());
    let (expected, refused) = made.unwrap();
    assert_eq!(refused.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>(), ["batch=7"]);
    let expected = expected.multiple(4.0);
    assert_eq!((expected.share_of("own.safetensors", "y"), expected.share_of("batch=7", "y")), (0.25, 0.25));
    let judge = |other: f32| {
        expected.judge(&mut in_turn([vec![2.5_f32; 4].into(), vec![other; 4].into()])).unwrap().failed("tract")
    };
    assert_eq!(judge(10.0), None);
    assert_eq!(judge(10.5).unwrap(), "tract deviates by 2.50e0 from a in `y` (batch=7), and 2.00e0 is the limit");
    // A network whose own framework has a float64 must run in it.
    assert!(Expected::of(&mut native(), &mut exact(), two_cases(), |_| ()).is_err());
    // Where float64 runs nothing there is no standard.
    let mut nothing = giving("b", &[]);
    let mut nothing = InTurn(vec![Giving("b", std::mem::take(&mut nothing.1))], 0);
    assert!(Expected::where_exact(0.25, &mut native(), &mut nothing, two_cases(), |_| ()).is_err());
}

/// Neighbours of 1 are 2^-10 apart in float16: half of that is what the output itself is rounded by.
#[test]
fn the_rounding_of_the_output_itself_is_not_multiplied() {
    let unit = 2.0_f64.powi(-10);
    let share = |deviates: f64| {
        let mut native = giving("a", &[("y", vec![half::f16::from_f32(1.0); 4].into())]);
        let mut exact = giving("b", &[("y", vec![1.0 - deviates * unit; 4].into())]);
        let expected = Expected::of(&mut native, &mut exact, cases(), |_| ()).unwrap().multiple(16.0);
        expected.share_of("batch 2", "y") * (1.0 - deviates * unit) / unit
    };
    // Below 1 the units are half as large.
    assert!((share(0.25) - 2.0).abs() < 1e-9, "{}", share(0.25));
    assert!((share(2.0) - 16.0 * 1.75).abs() < 1e-9, "{}", share(2.0));
}

/// A share that the user sets holds for whole numbers, too: 2 % of 100 are 2.
#[test]
fn whole_numbers_may_differ_by_what_the_user_sets() {
    let expected =
        || Expected::apart(1e-3, &mut giving("a", &[("y", vec![100_i64, -3].into())]), cases(), |_| ()).unwrap();
    let passes = |expected: &Expected, y: i64| {
        expected.judge(&mut giving("tract", &[("y", vec![y, -3].into())])).unwrap().passed
    };
    assert!(passes(&expected(), 100) && !passes(&expected(), 101));
    let asked = expected().share(0.02);
    assert!(passes(&asked, 102) && !passes(&asked, 103));
}

/// What floats near the deciding ones would give is lawful, if the right value is among that.
#[test]
fn whole_numbers_may_be_what_floats_nearby_give() {
    let right = || giving("a", &[("y", vec![7_i64, 7, 7].into())]);
    let mut expected = Expected::of(&mut right(), &mut right(), cases(), |_| ()).unwrap();
    let judge =
        |expected: &Expected, y: [i64; 3]| expected.judge(&mut giving("tract", &[("y", y.to_vec().into())])).unwrap();
    let found = judge(&expected, [8, 7, 7]);
    assert_eq!(expected.undecided(&[None, Some(found)]), ["batch 2"]);
    for values in [[7, 7, 5], [8, 7, 6]] {
        expected.consider("batch 2", &[giving("b", &[("y", values.to_vec().into())]).1]);
    }
    assert!(judge(&expected, [8, 7, 7]).passed && judge(&expected, [7, 7, 7]).passed);
    assert!(!judge(&expected, [9, 7, 7]).passed && !judge(&expected, [7, 8, 7]).passed);
    // In the third place no shift gives what counts as right, so that it says nothing of others.
    assert!(!judge(&expected, [7, 7, 6]).passed);
}
