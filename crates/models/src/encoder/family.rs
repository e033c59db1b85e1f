//! The families of encoders, and what tells them apart.

use super::EncoderError;

/// A family of encoders, by its `model_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// BERT (Devlin, Chang, Lee and Toutanova, 2018).
    Bert,
    /// DistilBERT (Sanh, Debut, Chaumond and Wolf, 2019): half the layers, no segments.
    DistilBert,
    /// RoBERTa (Liu et al., 2019): positions counted from the padding id on.
    Roberta,
    /// XLM-RoBERTa (Conneau et al., 2019).
    XlmRoberta,
    /// CamemBERT (Martin et al., 2019).
    Camembert,
    /// ELECTRA (Clark, Luong, Le and Manning, 2020): embeddings of a width of their own.
    Electra,
    /// MPNet (Song, Tan, Qin, Lu and Liu, 2020): attention biased by distance.
    Mpnet,
    /// ALBERT (Lan et al., 2019): layers that share their weights.
    Albert,
    /// ModernBERT (Warner et al., 2024): rotary positions, gated feed-forward parts, local and global attention.
    ModernBert,
}

/// How a token learns where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Positions {
    /// By its place in the sequence.
    Place,
    /// By its place among the tokens that are not padding, counted from the padding id on.
    Real,
    /// By rotating queries and keys.
    Rotary,
}

impl Family {
    /// Every family, in the order of documents.
    pub const ALL: [Self; 9] = [
        Self::Bert,
        Self::DistilBert,
        Self::Roberta,
        Self::XlmRoberta,
        Self::Camembert,
        Self::Electra,
        Self::Mpnet,
        Self::Albert,
        Self::ModernBert,
    ];

    /// The `model_type` of its configurations.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::DistilBert => "distilbert",
            Self::Roberta => "roberta",
            Self::XlmRoberta => "xlm-roberta",
            Self::Camembert => "camembert",
            Self::Electra => "electra",
            Self::Mpnet => "mpnet",
            Self::Albert => "albert",
            Self::ModernBert => "modernbert",
        }
    }

    /// Its name for readers, with which its classes begin.
    pub fn title(self) -> &'static str {
        match self {
            Self::Bert => "Bert",
            Self::DistilBert => "DistilBert",
            Self::Roberta => "Roberta",
            Self::XlmRoberta => "XLMRoberta",
            Self::Camembert => "Camembert",
            Self::Electra => "Electra",
            Self::Mpnet => "MPNet",
            Self::Albert => "Albert",
            Self::ModernBert => "ModernBert",
        }
    }

    /// The family of a configuration. Older ones have no `model_type`, but name their classes.
    pub(super) fn of(model_type: Option<&str>, classes: &[String]) -> Result<Self, EncoderError> {
        let found = match model_type {
            Some(name) => Self::ALL.into_iter().find(|family| family.model_type() == name),
            None => {
                let of = |class: &String| Self::ALL.into_iter().find(|family| class.starts_with(family.title()));
                classes.first().and_then(of)
            }
        };
        found.ok_or_else(|| EncoderError::OtherFamily {
            found: model_type.map_or_else(|| classes.join(", "), str::to_owned),
        })
    }

    /// The model types, for a message.
    pub(super) fn listed() -> String {
        Self::ALL.map(Self::model_type).join(", ")
    }

    /// Whether a token has a segment, `token_type_ids`, as an input.
    pub fn has_types(self) -> bool {
        matches!(self, Self::Bert | Self::Electra | Self::Albert)
    }

    pub(super) fn positions(self) -> Positions {
        match self {
            Self::Bert | Self::DistilBert | Self::Electra | Self::Albert => Positions::Place,
            Self::Roberta | Self::XlmRoberta | Self::Camembert | Self::Mpnet => Positions::Real,
            Self::ModernBert => Positions::Rotary,
        }
    }

    /// Whether padding on the left changes nothing but the place of the answers: positions do not count it.
    pub fn ignores_left_padding(self) -> bool {
        self.positions() != Positions::Place
    }
}
