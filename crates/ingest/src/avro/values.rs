//! The part of the walk that reads values and checks them.

use super::bytes::{Input, Wrong, as_text};
use super::out::Out;
use super::plan::{Emit, Number};
use super::walk::{Fault, RecordSink, Walk, undecodable, unstorable};
use crate::codes::Code;
use crate::poison::Poison;
use hollow::codec::{double_bits, float_bits, string, varint};

impl<S: RecordSink> Walk<'_, S> {
    pub(super) fn emit(
        &mut self,
        emit: &Emit,
        key_part: Option<usize>,
        input: &mut Input<'_>,
        out: &mut Out,
    ) -> Result<(), Fault<S::Error>> {
        let mut agrees = true;
        match emit {
            Emit::Boolean => {
                let value = input.boolean().map_err(undecodable)?;
                agrees = key_part.is_none_or(|part| self.key.is_boolean(part, value));
                out.push(u8::from(value));
            }
            Emit::Int => {
                let value = input.int().map_err(undecodable)?;
                if value == i32::MIN {
                    return Err(unstorable(format!("{value} stands for null")));
                }
                agrees = key_part.is_none_or(|part| self.key.is_long(part, i64::from(value)));
                out.vint(varint::zigzag_int(value));
            }
            Emit::Long(number) => {
                let value = match number {
                    Number::Int => i64::from(input.int().map_err(undecodable)?),
                    _ => input.long().map_err(undecodable)?,
                };
                if value == i64::MIN {
                    return Err(unstorable(format!("{value} stands for null")));
                }
                agrees = key_part.is_none_or(|part| self.key.is_long(part, value));
                out.vlong(varint::zigzag_long(value));
            }
            Emit::Float(number) => {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "Avro promotes whole numbers to float"
                )]
                let value = match number {
                    Number::Int => input.int().map_err(undecodable)? as f32,
                    Number::Long => input.long().map_err(undecodable)? as f32,
                    _ => input.float().map_err(undecodable)?,
                };
                out.put(&float_bits(value).to_be_bytes(), 4);
            }
            Emit::Double(number) => {
                let value = read_double(*number, input).map_err(undecodable)?;
                out.put(&double_bits(value).to_be_bytes(), 8);
            }
            Emit::Text(Some(code)) => {
                let bytes = input.bytes().map_err(undecodable)?;
                if !code.contains_bytes(bytes) {
                    return Err(no_code(*code, bytes));
                }
                agrees = key_part.is_none_or(|part| self.key.is_text(part, bytes));
                write_lengthed(bytes, out)?;
            }
            Emit::Text(None) => {
                let bytes = input.bytes().map_err(undecodable)?;
                agrees = key_part.is_none_or(|part| self.key.is_text(part, bytes));
                self.text(bytes, out)?;
            }
            Emit::Enum(symbols) => {
                let symbol = match symbols.get(input.index().map_err(undecodable)?) {
                    Some(Some(symbol)) => symbol,
                    Some(None) => {
                        return Err(undecodable(
                            "the enum's symbol is none that the dataset knows",
                        ));
                    }
                    None => return Err(undecodable("the enum has no such symbol")),
                };
                agrees = key_part.is_none_or(|part| self.key.is_text(part, symbol.text.as_bytes()));
                out.extend(&symbol.stored);
            }
            Emit::Bytes => write_lengthed(input.bytes().map_err(undecodable)?, out)?,
            Emit::Fixed(size) => write_lengthed(input.take(*size).map_err(undecodable)?, out)?,
            Emit::Reference(child) => {
                let ordinal = self.child(child, input, out)?;
                out.vint(ordinal);
            }
        }
        if agrees {
            Ok(())
        } else {
            Err(Poison::KeyMismatch {
                path: String::new(),
            }
            .into())
        }
    }

    fn text(&mut self, bytes: &[u8], out: &mut Out) -> Result<(), Fault<S::Error>> {
        if bytes.is_ascii() {
            return write_lengthed(bytes, out);
        }
        let text = as_text(bytes).map_err(undecodable)?;
        self.memory.texts.clear();
        string::write_str(&mut self.memory.texts, text);
        write_lengthed(&self.memory.texts, out)
    }
}

#[cold]
fn no_code<E>(code: Code, bytes: &[u8]) -> Fault<E> {
    match as_text(bytes) {
        Ok(text) => Poison::UnknownCode {
            path: String::new(),
            code,
            value: text.chars().take(100).collect(),
        }
        .into(),
        Err(wrong) => undecodable(wrong),
    }
}

fn read_double(number: Number, input: &mut Input<'_>) -> Result<f64, Wrong> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "Avro promotes whole numbers to double"
    )]
    Ok(match number {
        Number::Int => f64::from(input.int()?),
        Number::Long => input.long()? as f64,
        Number::Float => f64::from(input.float()?),
        Number::Double => input.double()?,
    })
}

fn write_lengthed<E>(bytes: &[u8], out: &mut Out) -> Result<(), Fault<E>> {
    let Ok(len) = u32::try_from(bytes.len()) else {
        return Err(unstorable("it is longer than 4 GiB".to_owned()));
    };
    out.vint(len);
    out.extend(bytes);
    Ok(())
}
