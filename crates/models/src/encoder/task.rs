//! What an encoder is for.

use std::fmt;

use super::EncoderError;

/// What an encoder is for: which head it has, and what it gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EncoderTask {
    /// A start and an end logit for each token.
    QuestionAnswering,
    /// Logits for each text, `[batch, labels]`.
    TextClassification,
    /// Logits for each token, `[batch, sequence, labels]`.
    TokenClassification,
    /// Logits over the vocabulary for each token, `[batch, sequence, vocabulary]`.
    FillMask,
    /// The last layer's hidden states, `[batch, sequence, hidden]`.
    FeatureExtraction,
    /// One vector for each text, `[batch, width]`, beside the hidden states.
    SentenceEmbeddings,
}

impl EncoderTask {
    /// Every task, in the order of documents.
    pub const ALL: [Self; 6] = [
        Self::QuestionAnswering,
        Self::TextClassification,
        Self::TokenClassification,
        Self::FillMask,
        Self::FeatureExtraction,
        Self::SentenceEmbeddings,
    ];

    /// Its name, as `optimum` and the hub call it where they know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::QuestionAnswering => "question-answering",
            Self::TextClassification => "text-classification",
            Self::TokenClassification => "token-classification",
            Self::FillMask => "fill-mask",
            Self::FeatureExtraction => "feature-extraction",
            Self::SentenceEmbeddings => "sentence-embeddings",
        }
    }

    /// The task of a name; `None` if there is none.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name)
    }

    /// The end of the classes of `transformers` for it.
    pub fn class(self) -> &'static str {
        match self {
            Self::QuestionAnswering => "ForQuestionAnswering",
            Self::TextClassification => "ForSequenceClassification",
            Self::TokenClassification => "ForTokenClassification",
            Self::FillMask => "ForMaskedLM",
            Self::FeatureExtraction | Self::SentenceEmbeddings => "Model",
        }
    }

    /// The names of the outputs in order, as `optimum` calls them.
    pub fn outputs(self) -> &'static [&'static str] {
        match self {
            Self::QuestionAnswering => &["start_logits", "end_logits"],
            Self::TextClassification | Self::TokenClassification | Self::FillMask => &["logits"],
            Self::FeatureExtraction => &["last_hidden_state"],
            Self::SentenceEmbeddings => &["token_embeddings", "sentence_embedding"],
        }
    }

    /// The task of the first of the classes that has one.
    ///
    /// # Errors
    /// When none has.
    pub(super) fn of(classes: &[String]) -> Result<Self, EncoderError> {
        let task = |class: &String| match class.as_str() {
            // What these were trained with is a superset of the head for masks.
            "BertForPreTraining" | "AlbertForPreTraining" => Some(Self::FillMask),
            class => Self::ALL.into_iter().find(|task| class.ends_with(task.class())),
        };
        classes.iter().find_map(task).ok_or_else(|| EncoderError::NoTask { found: classes.join(", ") })
    }
}

impl fmt::Display for EncoderTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
