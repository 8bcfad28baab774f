//! Chat templates: equal to Hugging Face's, harmless whatever they hold, and not to be forged.

mod data;
mod forgery;
mod golden;
mod hostile;
mod turns;
