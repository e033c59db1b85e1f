//! What `transformers` calls the parameters of a family.
//!
//! The modules here have one set of names; each family has its own in a `state_dict`. Checkpoints of different age and origin differ
//! further: with or without the name of the encoder in front, with `gamma` and `beta` for layer norm, with heads for other tasks.

use std::collections::HashSet;

use super::Family;
use crate::weights::{Checkpoint, StateDictName, WeightsError};

/// The names of a family.
struct Names {
    /// What stands before the names of the encoder.
    base: &'static str,
    /// The list of layers.
    layers: &'static str,
    /// Parts of a layer.
    inner: &'static [(&'static str, &'static str)],
    /// Parts of the encoder outside layers.
    outer: &'static [(&'static str, &'static str)],
    /// Parts of the heads, without the name of the encoder unless they begin with it.
    heads: &'static [(&'static str, &'static str)],
    /// The first words of what belongs to the encoder.
    roots: &'static [&'static str],
    /// The first words of what belongs to heads.
    others: &'static [&'static str],
}

const BERT_LAYER: &[(&str, &str)] = &[
    ("query", "attention.self.query"),
    ("key", "attention.self.key"),
    ("value", "attention.self.value"),
    ("output", "attention.output.dense"),
    ("attention_norm", "attention.output.LayerNorm"),
    ("up", "intermediate.dense"),
    ("down", "output.dense"),
    ("feed_norm", "output.LayerNorm"),
];

const BERT_OUTER: &[(&str, &str)] = &[
    ("embeddings.words", "embeddings.word_embeddings"),
    ("embeddings.positions", "embeddings.position_embeddings"),
    ("embeddings.types", "embeddings.token_type_embeddings"),
    ("embeddings.norm", "embeddings.LayerNorm"),
    ("embeddings.projection", "embeddings_project"),
    ("relative.bias", "encoder.relative_attention_bias"),
];

/// A head of dense layer and output under one name, and one for masks that is called `lm_head`.
const ROBERTA_HEADS: &[(&str, &str)] = &[
    ("span.output", "qa_outputs"),
    ("text.dense", "classifier.dense"),
    ("text.output", "classifier.out_proj"),
    ("tokens.output", "classifier"),
    ("masks.dense", "lm_head.dense"),
    ("masks.norm", "lm_head.layer_norm"),
    ("masks.output", "lm_head.decoder"),
    ("masks", "lm_head"),
];

const BERT: Names = Names {
    base: "bert",
    layers: "encoder.layer",
    inner: BERT_LAYER,
    outer: BERT_OUTER,
    heads: &[
        ("span.output", "qa_outputs"),
        ("text.dense", "bert.pooler.dense"),
        ("text.output", "classifier"),
        ("tokens.output", "classifier"),
        ("masks.dense", "cls.predictions.transform.dense"),
        ("masks.norm", "cls.predictions.transform.LayerNorm"),
        ("masks.output", "cls.predictions.decoder"),
        ("masks", "cls.predictions"),
    ],
    roots: &["embeddings", "encoder", "pooler"],
    others: &["cls", "classifier", "qa_outputs"],
};

const ROBERTA: Names =
    Names { base: "roberta", heads: ROBERTA_HEADS, others: &["lm_head", "classifier", "qa_outputs"], ..BERT };

const ELECTRA: Names = Names {
    base: "electra",
    heads: &[
        ("span.output", "qa_outputs"),
        ("text.dense", "classifier.dense"),
        ("text.output", "classifier.out_proj"),
        ("tokens.output", "classifier"),
        ("masks.dense", "generator_predictions.dense"),
        ("masks.norm", "generator_predictions.LayerNorm"),
        ("masks.output", "generator_lm_head"),
        ("masks", "generator_lm_head"),
    ],
    roots: &["embeddings", "embeddings_project", "encoder"],
    others: &["generator_predictions", "generator_lm_head", "discriminator_predictions", "classifier", "qa_outputs"],
    ..BERT
};

const MPNET: Names = Names {
    base: "mpnet",
    inner: &[
        ("query", "attention.attn.q"),
        ("key", "attention.attn.k"),
        ("value", "attention.attn.v"),
        ("output", "attention.attn.o"),
        ("attention_norm", "attention.LayerNorm"),
        ("up", "intermediate.dense"),
        ("down", "output.dense"),
        ("feed_norm", "output.LayerNorm"),
    ],
    ..ROBERTA
};

const DISTILBERT: Names = Names {
    base: "distilbert",
    layers: "transformer.layer",
    inner: &[
        ("query", "attention.q_lin"),
        ("key", "attention.k_lin"),
        ("value", "attention.v_lin"),
        ("output", "attention.out_lin"),
        ("attention_norm", "sa_layer_norm"),
        ("up", "ffn.lin1"),
        ("down", "ffn.lin2"),
        ("feed_norm", "output_layer_norm"),
    ],
    heads: &[
        ("span.output", "qa_outputs"),
        ("text.dense", "pre_classifier"),
        ("text.output", "classifier"),
        ("tokens.output", "classifier"),
        ("masks.dense", "vocab_transform"),
        ("masks.norm", "vocab_layer_norm"),
        ("masks.output", "vocab_projector"),
        ("masks", "vocab_projector"),
    ],
    roots: &["embeddings", "transformer"],
    others: &["vocab_transform", "vocab_layer_norm", "vocab_projector", "pre_classifier", "classifier", "qa_outputs"],
    ..BERT
};

const ALBERT: Names = Names {
    base: "albert",
    layers: "encoder.albert_layer_groups",
    inner: &[
        ("query", "albert_layers.0.attention.query"),
        ("key", "albert_layers.0.attention.key"),
        ("value", "albert_layers.0.attention.value"),
        ("output", "albert_layers.0.attention.dense"),
        ("attention_norm", "albert_layers.0.attention.LayerNorm"),
        ("up", "albert_layers.0.ffn"),
        ("down", "albert_layers.0.ffn_output"),
        ("feed_norm", "albert_layers.0.full_layer_layer_norm"),
    ],
    outer: &[
        ("embeddings.words", "embeddings.word_embeddings"),
        ("embeddings.positions", "embeddings.position_embeddings"),
        ("embeddings.types", "embeddings.token_type_embeddings"),
        ("embeddings.norm", "embeddings.LayerNorm"),
        ("embeddings.projection", "encoder.embedding_hidden_mapping_in"),
    ],
    heads: &[
        ("span.output", "qa_outputs"),
        ("text.dense", "albert.pooler"),
        ("text.output", "classifier"),
        ("tokens.output", "classifier"),
        ("masks.dense", "predictions.dense"),
        ("masks.norm", "predictions.LayerNorm"),
        ("masks.output", "predictions.decoder"),
        ("masks", "predictions"),
    ],
    others: &["predictions", "sop_classifier", "classifier", "qa_outputs"],
    ..BERT
};

const MODERNBERT: Names = Names {
    base: "model",
    layers: "layers",
    inner: &[
        ("attention_norm", "attn_norm"),
        ("joined", "attn.Wqkv"),
        ("output", "attn.Wo"),
        ("feed_norm", "mlp_norm"),
        ("up", "mlp.Wi"),
        ("down", "mlp.Wo"),
    ],
    outer: &[
        ("embeddings.words", "embeddings.tok_embeddings"),
        ("embeddings.norm", "embeddings.norm"),
        ("final_norm", "final_norm"),
    ],
    heads: &[
        ("span.dense", "head.dense"),
        ("span.norm", "head.norm"),
        ("span.output", "classifier"),
        ("text.dense", "head.dense"),
        ("text.norm", "head.norm"),
        ("text.output", "classifier"),
        ("tokens.dense", "head.dense"),
        ("tokens.norm", "head.norm"),
        ("tokens.output", "classifier"),
        ("masks.dense", "head.dense"),
        ("masks.norm", "head.norm"),
        ("masks.output", "decoder"),
        ("masks", "decoder"),
    ],
    roots: &["embeddings", "layers", "final_norm"],
    others: &["head", "decoder", "classifier"],
};

impl Names {
    fn of(family: Family) -> &'static Self {
        match family {
            Family::Bert => &BERT,
            Family::DistilBert => &DISTILBERT,
            Family::Roberta | Family::XlmRoberta | Family::Camembert => &ROBERTA,
            Family::Electra => &ELECTRA,
            Family::Mpnet => &MPNET,
            Family::Albert => &ALBERT,
            Family::ModernBert => &MODERNBERT,
        }
    }

    /// The `state_dict` name of a parameter, from its path in the module.
    fn spell(&self, path: &str) -> String {
        let (part, leaf) = path.rsplit_once('.').unwrap_or(("", path));
        let (part, leaf) = match leaf {
            "gamma" => (part, "weight"),
            "beta" => (part, "bias"),
            leaf => (part, leaf),
        };
        let named = |table: &[(&str, &'static str)], part: &str| {
            table.iter().find(|(ours, _)| *ours == part).map(|(_, theirs)| *theirs)
        };
        let layer = ["layers.", "gated."].iter().find_map(|list| part.strip_prefix(list));
        if let Some((index, inner)) = layer.and_then(|layer| layer.split_once('.'))
            && let Some(inner) = named(self.inner, inner)
        {
            return format!("{}.{}.{index}.{inner}.{leaf}", self.base, self.layers);
        }
        match (named(self.outer, part), named(self.heads, part)) {
            (Some(outer), _) => format!("{}.{outer}.{leaf}", self.base),
            (None, Some(head)) => format!("{head}.{leaf}"),
            (None, None) => path.to_owned(),
        }
    }

    /// The name that [`spell`](Self::spell) gives to what checkpoints of different age and origin call `name`.
    fn canonical(&self, name: &str) -> String {
        let parts: Vec<&str> = name.split('.').collect();
        let is_root = |part: &&str| self.roots.contains(part) || self.others.contains(part);
        let Some(root) = parts.iter().position(is_root) else { return name.to_owned() };
        let (prefix, rest) = parts.split_at(root);
        let prefix = prefix.strip_suffix(&[self.base]).unwrap_or(prefix);
        let rest = rest.join(".");
        let rest = match rest.rsplit_once('.') {
            Some((norm, "gamma")) => format!("{norm}.weight"),
            Some((norm, "beta")) => format!("{norm}.bias"),
            _ => rest,
        };
        let wrapped: String = prefix.iter().map(|part| format!("{part}.")).collect();
        let is_inside = parts.get(root).is_some_and(|part| self.roots.contains(part));
        if is_inside { format!("{wrapped}{}.{rest}", self.base) } else { wrapped + &rest }
    }
}

/// The `state_dict` names of a family's parameters.
pub(super) fn state_dict_name(family: Family) -> StateDictName {
    match family {
        Family::Bert => |path| BERT.spell(path),
        Family::DistilBert => |path| DISTILBERT.spell(path),
        Family::Roberta | Family::XlmRoberta | Family::Camembert => |path| ROBERTA.spell(path),
        Family::Electra => |path| ELECTRA.spell(path),
        Family::Mpnet => |path| MPNET.spell(path),
        Family::Albert => |path| ALBERT.spell(path),
        Family::ModernBert => |path| MODERNBERT.spell(path),
    }
}

/// `checkpoint` under the names of [`state_dict_name`]. `wanted` are the names of the parameters, `own` those of the head.
///
/// What belongs to another head, to a pooler that is not asked, or repeats the table of embeddings, is left aside. A head for another
/// task stays where the own one is missing, so that the error tells what the file is for.
///
/// # Errors
/// When two tensors would get the same name.
pub(super) fn canonical(
    checkpoint: Checkpoint,
    family: Family,
    wanted: &HashSet<String>,
    own: &[String],
) -> Result<Checkpoint, WeightsError> {
    let names = Names::of(family);
    let decoder = names.spell("masks.output.weight");
    let (bias, twin) = (names.spell("masks.bias"), names.spell("masks.output.bias"));
    let present: HashSet<String> = checkpoint.tensors().keys().map(|name| names.canonical(name)).collect();
    let holds = |name: &str| present.iter().any(|there| ends_with_name(there, name));
    let has_own = own.is_empty() || own.iter().any(|name| holds(name));
    let keeps_decoder = wanted.contains(&decoder);
    // Files may have the bias of the logits under two names. Where the table of embeddings gives the logits, both are the same one, and
    // older files have either; else `transformers` adds the decoder's.
    let (first, second) = if keeps_decoder { (&twin, &bias) } else { (&bias, &twin) };
    let has_first = holds(first);
    checkpoint.renamed(|name| {
        let name = names.canonical(name);
        let is = |known: &str| ends_with_name(&name, known);
        if twin != bias && wanted.contains(&bias) && (is(&twin) || is(&bias)) {
            let known = if is(&twin) { &twin } else { &bias };
            let prefix = name.strip_suffix(known.as_str()).unwrap_or_default();
            return (known != second || !has_first).then(|| prefix.to_owned() + &bias);
        }
        if is(&decoder) && !keeps_decoder {
            return None;
        }
        let is_wanted = wanted.iter().any(|wanted| is(wanted));
        let is_pooler = name.split('.').any(|part| part == "pooler");
        let is_head = name.split('.').any(|part| names.others.contains(&part));
        let aside = !is_wanted && (is_pooler || (is_head && has_own));
        (!aside).then_some(name)
    })
}

/// Whether `name` is `known`, or that behind a prefix.
fn ends_with_name(name: &str, known: &str) -> bool {
    name.strip_suffix(known).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
}
