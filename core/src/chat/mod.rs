//! Conversations: messages and the model's own template.
