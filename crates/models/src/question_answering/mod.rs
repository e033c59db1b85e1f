//! Extractive question answering with a BERT: text to windows of tokens, logits to answers, and the SQuAD figures.
//!
//! [`QaTokenizer`] reads a model folder's tokenizer and cuts a long context into overlapping [`Window`]s. A network gives
//! each window its start and end logits, and [`best_answers`] searches all windows together. [`article_answer`] is the
//! simple way instead: the most likely start and the most likely end, each by itself. [`squad`] reads the data set and
//! judges answers by its official definition.

mod article;
mod span;
pub mod squad;
mod tokenizer;
mod window;

pub use article::{ArticleAnswer, article_answer};
pub use span::{Answer, LogitsError, SpanOptions, WindowLogits, best_answers, no_answer_total};
pub use tokenizer::{QaTokenizer, TOKENIZER_FILES, TokenizerError};
pub use window::{QuestionError, Window, WindowOptions};
