//! What is refused in a parsed template: other templates, since there are none, and constant expressions
//! that grow, since the engine computes them while it compiles, where no meter runs.

use minijinja::machinery::Span;
use minijinja::machinery::ast::{BinOp, BinOpKind, CallArg, Expr, Stmt};

use crate::chat::ChatError;

/// Joinings of literals accepted in one template.
const MAX_JOINS: usize = 64;

/// Refuses literals that would grow while being folded: `'x' * 100000000`.
///
/// # Errors
/// [`ChatError::Unsupported`].
pub(super) fn check(template: &Stmt<'_>) -> Result<(), ChatError> {
    Walk { joins: 0 }.stmt(template)
}

struct Walk {
    joins: usize,
}

impl Walk {
    fn body(&mut self, body: &[Stmt<'_>]) -> Result<(), ChatError> {
        body.iter().try_for_each(|stmt| self.stmt(stmt))
    }

    fn stmt(&mut self, stmt: &Stmt<'_>) -> Result<(), ChatError> {
        match stmt {
            Stmt::Template(s) => self.body(&s.children),
            Stmt::EmitExpr(s) => self.expr(&s.expr),
            Stmt::EmitRaw(_) | Stmt::Continue(_) | Stmt::Break(_) => Ok(()),
            Stmt::ForLoop(s) => {
                self.expr(&s.iter)?;
                self.exprs(&s.filter_expr)?;
                self.body(&s.body)?;
                self.body(&s.else_body)
            }
            Stmt::IfCond(s) => {
                self.expr(&s.expr)?;
                self.body(&s.true_body)?;
                self.body(&s.false_body)
            }
            Stmt::WithBlock(s) => {
                for (_, value) in &s.assignments {
                    self.expr(value)?;
                }
                self.body(&s.body)
            }
            Stmt::Set(s) => self.expr(&s.expr),
            Stmt::SetBlock(s) => {
                self.exprs(&s.filter)?;
                self.body(&s.body)
            }
            Stmt::AutoEscape(s) => {
                self.expr(&s.enabled)?;
                self.body(&s.body)
            }
            Stmt::FilterBlock(s) => {
                self.expr(&s.filter)?;
                self.body(&s.body)
            }
            Stmt::Macro(s) => {
                self.exprs(&s.defaults)?;
                self.body(&s.body)
            }
            Stmt::CallBlock(s) => {
                self.args(&s.call.args)?;
                self.exprs(&s.macro_decl.defaults)?;
                self.body(&s.macro_decl.body)
            }
            Stmt::Do(s) => {
                self.expr(&s.call.expr)?;
                self.args(&s.call.args)
            }
            Stmt::Block(s) => unsupported(s.span(), "`block`"),
            Stmt::Extends(s) => unsupported(s.span(), "`extends`"),
            Stmt::Include(s) => unsupported(s.span(), "`include`"),
            Stmt::Import(s) => unsupported(s.span(), "`import`"),
            Stmt::FromImport(s) => unsupported(s.span(), "`from`"),
        }
    }

    fn exprs<'e, 's: 'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr<'s>>,
    ) -> Result<(), ChatError> {
        exprs.into_iter().try_for_each(|expr| self.expr(expr))
    }

    fn args(&mut self, args: &[CallArg<'_>]) -> Result<(), ChatError> {
        args.iter().try_for_each(|arg| match arg {
            CallArg::Pos(e)
            | CallArg::Kwarg(_, e)
            | CallArg::PosSplat(e)
            | CallArg::KwargSplat(e) => self.expr(e),
        })
    }

    fn expr(&mut self, expr: &Expr<'_>) -> Result<(), ChatError> {
        match expr {
            Expr::Var(_) | Expr::Const(_) => Ok(()),
            Expr::Slice(e) => {
                self.expr(&e.expr)?;
                self.exprs(e.start.iter().chain(&e.stop).chain(&e.step))
            }
            Expr::UnaryOp(e) => self.expr(&e.expr),
            Expr::BinOp(e) => {
                self.binop(e, e.span())?;
                self.expr(&e.left)?;
                self.expr(&e.right)
            }
            Expr::Compare(e) => {
                self.expr(&e.expr)?;
                self.exprs(e.ops.iter().map(|op| &op.expr))
            }
            Expr::IfExpr(e) => {
                self.expr(&e.test_expr)?;
                self.expr(&e.true_expr)?;
                self.exprs(&e.false_expr)
            }
            Expr::Filter(e) => {
                self.exprs(&e.expr)?;
                self.args(&e.args)
            }
            Expr::Test(e) => {
                self.expr(&e.expr)?;
                self.args(&e.args)
            }
            Expr::GetAttr(e) => self.expr(&e.expr),
            Expr::GetItem(e) => {
                self.expr(&e.expr)?;
                self.expr(&e.subscript_expr)
            }
            Expr::Call(e) => {
                self.expr(&e.expr)?;
                self.args(&e.args)
            }
            Expr::List(e) => self.exprs(&e.items),
            Expr::Tuple(e) => self.exprs(&e.items),
            Expr::Map(e) => {
                self.exprs(&e.keys)?;
                self.exprs(&e.values)
            }
        }
    }

    fn binop(&mut self, op: &BinOp<'_>, span: Span) -> Result<(), ChatError> {
        if !(folds(&op.left) && folds(&op.right)) {
            return Ok(());
        }
        let what = match op.op {
            BinOpKind::Mul if holds_text(&op.left) || holds_text(&op.right) => {
                "a literal repeated by `*`"
            }
            BinOpKind::Add | BinOpKind::Concat if self.joins == MAX_JOINS => {
                "joining so many literals"
            }
            BinOpKind::Add | BinOpKind::Concat => {
                self.joins += 1;
                return Ok(());
            }
            _ => return Ok(()),
        };
        unsupported(span, what)
    }
}

fn unsupported(span: Span, what: &'static str) -> Result<(), ChatError> {
    Err(ChatError::Unsupported {
        line: usize::from(span.start_line),
        what,
    })
}

/// Whether the engine folds `expr`: no variable is in it.
fn folds(expr: &Expr<'_>) -> bool {
    let constant = |e: &Expr<'_>| matches!(e, Expr::Const(_));
    match expr {
        Expr::Const(_) => true,
        Expr::List(e) => e.items.iter().all(constant),
        Expr::Tuple(e) => e.items.iter().all(constant),
        Expr::Map(e) => e.keys.iter().chain(&e.values).all(constant),
        Expr::UnaryOp(e) => folds(&e.expr),
        Expr::BinOp(e) => folds(&e.left) && folds(&e.right),
        Expr::Compare(e) => folds(&e.expr) && e.ops.iter().all(|op| folds(&op.expr)),
        _ => false,
    }
}

/// Whether an expression that folds can give a text or a list.
fn holds_text(expr: &Expr<'_>) -> bool {
    match expr {
        Expr::Const(e) => e.value.as_str().is_some() || e.value.as_object().is_some(),
        Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => true,
        Expr::BinOp(e) => holds_text(&e.left) || holds_text(&e.right),
        _ => false,
    }
}
