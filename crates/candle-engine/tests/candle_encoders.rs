//! Encoders of candle-transformers against Burn's, on texts of different lengths.

use burn::tensor::{DType, Device};
use candle_engine::CandleEncoder;
use engines::engine::Engine;
use engines::tensor::Elements;
use engines::worker::Weights;
use models::encoder::{Encoder, EncoderConfig, EncoderTask, Family, Side};
use networks::network::Network;
use networks::texts::{inputs, random};

/// float32 in another order of additions.
const TOLERANCE: f64 = 1e-4;

fn tiny(family: Family, task: EncoderTask) -> EncoderConfig {
    let mut config = EncoderConfig {
        vocab_size: 101,
        embedding_size: 32,
        hidden_size: 32,
        num_hidden_layers: 4,
        num_hidden_groups: 4,
        num_attention_heads: 4,
        intermediate_size: 48,
        max_position_embeddings: 60,
        initializer_range: 0.3,
        ..EncoderConfig::published(family, task)
    };
    if let Some(modern) = &mut config.modern {
        modern.local = vec![false, true, true, false];
        modern.window = 3;
    }
    config.pad_token_id = config.pad_token_id.min(1);
    config.labels = ["no", "yes", "perhaps"].map(str::to_owned).into();
    config
}

fn values(elements: &Elements) -> Vec<f64> {
    let Elements::F32(values) = elements else { panic!("no float32") };
    values.iter().map(|&value| value.into()).collect()
}

#[test]
fn the_families_that_candle_has_give_what_burn_gives() {
    use EncoderTask::{FeatureExtraction, TextClassification};
    use Family::{Bert, Camembert, ModernBert, Roberta, XlmRoberta};
    use Side::{Left, Right};
    for (family, task, side) in [
        (Bert, FeatureExtraction, Right),
        (Roberta, FeatureExtraction, Right),
        (XlmRoberta, FeatureExtraction, Left),
        (Camembert, FeatureExtraction, Right),
        (ModernBert, FeatureExtraction, Right),
        (Roberta, TextClassification, Right),
        (XlmRoberta, TextClassification, Left),
        (Camembert, TextClassification, Left),
    ] {
        let config = tiny(family, task);
        let network = <Encoder as Network>::random(&config, 5, &Device::flex());
        let mut candle = CandleEncoder::load(config.clone(), &Weights::Random(5)).unwrap();
        let tokens = random(&config, 3, 20, Some(side)).unwrap();
        let asked = inputs(&tokens, &config).unwrap();
        let expected = Network::run(&network, &config, &asked, &Device::flex(), DType::F32).unwrap();
        let found = candle.run(&asked).unwrap();
        assert_eq!(found.len(), expected.len());
        let mask: Vec<i64> = tokens.lists(&config).find(|(name, _)| *name == "attention_mask").unwrap().1.to_vec();
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!((&found.name, found.tensor.shape()), (&expected.name, expected.tensor.shape()));
            let (found, expected) = (values(found.tensor.elements()), values(expected.tensor.elements()));
            let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
            // What stands at padding means nothing.
            let width = found.len() / if task == TextClassification { 3 } else { mask.len() };
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let counts = task == TextClassification || mask[index / width] == 1;
                let off = (found - expected).abs();
                assert!(
                    !counts || off <= TOLERANCE * largest,
                    "{family:?} {task:?} at {index}: {found}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn what_candle_lacks_is_named() {
    for (family, task) in [
        (Family::DistilBert, EncoderTask::FeatureExtraction),
        (Family::Albert, EncoderTask::FeatureExtraction),
        (Family::Bert, EncoderTask::TokenClassification),
        (Family::XlmRoberta, EncoderTask::FillMask),
    ] {
        let Err(error) = CandleEncoder::load(tiny(family, task), &Weights::Random(1)) else {
            panic!("{family:?} opened")
        };
        let text = terminal::failure::sentence(&error);
        let lacks = format!("candle-transformers has no such encoder ({} for {})", family.model_type(), task.name());
        assert!(text.contains(&lacks), "{text}");
    }
}
