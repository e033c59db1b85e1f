//! Questions in SQuAD's formats, and the names of classes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use models::imagenet::Labels;
use models::question_answering::squad::read;

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    let path = fuzz::file("questions.json", data);
    if let Ok(questions) = read(&path) {
        for question in &questions {
            let best = question.answers.first().map_or("", String::as_str);
            assert!(question.exact_match(best), "{best:?} is not the same as itself");
            assert!(question.f1(best) > 0.999, "{best:?} is not the same as itself");
            let _ = question.f1(&question.question);
        }
    }
    let _ = (Labels::count(&path), Labels::read(&path, 3));
});
