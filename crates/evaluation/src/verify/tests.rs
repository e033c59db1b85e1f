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

/// The exact result is (1, 2); the others are off by something, and the candidate's output has this shape.
fn verified(candidate: f32, native: f32, shape: &[usize]) -> Verification {
    let values = |error: f32| vec![1.0 + error, 2.0 + error];
    let output = NamedTensor::new("y", Tensor::new(shape, values(candidate)).unwrap());
    verify(
        &mut Giving("candidate", vec![output]),
        &mut giving("native", &[("y", values(native).into())]),
        &mut giving("exact", &[("y", vec![1.0_f64, 2.0].into())]),
        &cases(),
    )
    .unwrap()
}

#[test]
fn an_engine_may_stray_four_times_as_far_as_the_framework() {
    let within = verified(0.375, 0.125, &[2]);
    assert!(within.passed);
    assert_eq!((within.native_error, within.cases[0].outputs[0].limit), (0.125, 0.5));
    assert_eq!((within.cases[0].error, within.cases[0].difference), (0.375, 0.25));
    assert!(!verified(0.625, 0.125, &[2]).passed);
    // By hand: 0.375 of 2, and in units of 2^-22; (1.375, 2.375) against (1, 2).
    let output = &within.cases[0].outputs[0];
    assert_eq!((output.absolute, output.relative, output.ulp), (0.375, 0.1875, 0.375 * 2.0_f64.powi(22)));
    let cosine = (1.375 + 4.75) / (5.0_f64 * (1.375 * 1.375 + 2.375 * 2.375)).sqrt();
    assert!((output.cosine.unwrap() - cosine).abs() < 1e-15);
    assert_eq!((output.not_finite, output.native), (0, 0.125));
}

#[test]
fn a_failure_survives_its_report() {
    let failed = verified(f32::NAN, 0.125, &[2]);
    assert_eq!(failed.cases[0].outputs[0].not_finite, 2);
    let json = serde_json::to_string(&failed).unwrap();
    assert_eq!(serde_json::from_str::<Verification>(&json).unwrap(), failed);
}

#[test]
fn an_exact_framework_leaves_four_units_in_the_last_place() {
    // The largest output is 2, where neighbours are 2^-22 apart.
    let ulp = 2.0_f32.powi(-22);
    assert!(verified(4.0 * ulp, 0.0, &[2]).passed);
    assert!(!verified(5.0 * ulp, 0.0, &[2]).passed);
}

#[test]
fn no_numbers_and_other_shapes_fail() {
    assert!(!verified(f32::NAN, 0.125, &[2]).passed);
    assert!(!verified(0.0, 0.125, &[1, 2]).passed);
    // A framework that gives no numbers itself proves nothing.
    assert!(!verified(0.0, f32::NAN, &[2]).passed);
}

#[test]
fn every_output_is_measured_by_itself() {
    let exact = [("boxes", vec![512.0_f64].into()), ("scores", vec![0.5_f64].into())];
    let native = [("boxes", vec![512.25_f32].into()), ("scores", vec![0.5_f32 + 2.0_f32.powi(-20)].into())];
    let judge = |scores: f32| {
        let mut found = giving("candidate", &[("boxes", vec![513.0_f32].into()), ("scores", vec![scores].into())]);
        verify(&mut found, &mut giving("native", &native), &mut giving("exact", &exact), &cases()).unwrap()
    };
    assert!(judge(0.5 + 2.0_f32.powi(-18)).passed);
    let failed = judge(0.5 + 2.0_f32.powi(-17));
    let message = failed.failed("tract").unwrap();
    assert_eq!(message, "tract strays by 7.63e-6 from float64 in `scores` (batch 2), and 3.81e-6 is the limit");
    assert_eq!(failed.worst().unwrap().1.used(), 2.0);
    let expected = Expected::of(&mut giving("native", &native), &mut giving("exact", &exact), cases(), |_| ());
    let mut found = giving("candidate", &[("boxes", vec![516.0_f32].into()), ("scores", vec![0.5_f32].into())]);
    assert!(expected.unwrap().multiple(16.0).judge(&mut found).unwrap().passed);
}

#[test]
fn without_float64_a_share_of_the_largest_value_is_the_limit() {
    let native = [("y", Elements::from(vec![-4.0_f32, f32::INFINITY])), ("class", vec![100_i64].into())];
    let expected = Expected::apart(0.125, &mut giving("ort:cpu", &native), cases(), |_| ()).unwrap();
    assert_eq!(
        (expected.share_of("y"), expected.share_of("class"), expected.not_finite()),
        (0.125, 0.0, Some("batch 2"))
    );
    let judge = |y: Elements, class: Elements| {
        expected.judge(&mut giving("tract", &[("y", y), ("class", class)])).unwrap().failed("tract")
    };
    let infinite = f32::INFINITY;
    assert_eq!(judge(vec![-3.5, infinite].into(), vec![100_i64].into()), None);
    let far = judge(vec![-3.0, infinite].into(), vec![100_i64].into()).unwrap();
    assert_eq!(far, "tract strays by 1.00e0 from ort:cpu in `y` (batch 2), and 5.00e-1 is the limit");
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
        [("big", vec![f32::INFINITY, 2.0].into()), ("wide", vec![1.0_f64].into()), ("y", vec![1.5_f32].into())];
    let exact = [("big", vec![1e40_f64, 2.0].into()), ("wide", vec![1.0_f64].into()), ("y", vec![1.0_f64].into())];
    let expected = Expected::of(&mut giving("a", &native), &mut giving("b", &exact), cases(), |_| ()).unwrap();
    let (expected, other) = expected.fall_back(0.25);
    assert_eq!(other, ["big"]);
    assert_eq!((expected.share_of("big"), expected.share_of("y")), (0.25, 2.0));
    // The units of float64 are 2^29 times as fine.
    assert_eq!(expected.share_of("wide"), 0.25 / 2.0_f64.powi(29));
    assert_eq!(expected.widest(), Some(("y", 2.0)));
    assert!(expected.judge(&mut giving("a", &native)).unwrap().passed);
    assert!(expected.unproven(false).iter().all(|told| !told.contains("zero") && !told.contains("empty")));
    // A share of the user's own holds for all.
    let expected = expected.share(0.5);
    assert_eq!(["big", "wide", "y"].map(|output| expected.share_of(output)), [0.5; 3]);
    let zero = [("y", vec![0.0_f32].into()), ("none", Vec::<f32>::new().into())];
    let expected = Expected::apart(0.1, &mut giving("a", &zero), cases(), |_| ()).unwrap();
    assert_eq!(expected.unproven(false), ["every value of `y` is zero in every case", "`none` is empty in every case"]);
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
        "No engine strays from burn in float64 by more than 1.2e-1 of the largest value"
    );
}

/// A limit larger than the output lets it be anything, its negation too.
#[test]
fn a_limit_beyond_the_output_proves_nothing_unless_it_is_asked_for() {
    let expected = || {
        let (native, exact) = ([("y", vec![0.875_f32].into())], [("y", vec![1.0_f64].into())]);
        Expected::of(&mut giving("native", &native), &mut giving("exact", &exact), cases(), |_| ()).unwrap()
    };
    let told = expected().multiple(16.0).unproven(false);
    assert!(told.len() == 1 && told[0].starts_with("the limit of `y` is 200 % of its largest value"), "{told:?}");
    assert!(expected().multiple(16.0).unproven(true).is_empty());
    assert!(expected().multiple(16.0).capped(0.05, 0.0).unproven(false).is_empty());
    // What the reference itself strays is lawful.
    assert_eq!(expected().multiple(16.0).capped(0.05, 1.0).share_of("y"), 0.125);
}
