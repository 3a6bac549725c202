// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/strings.h"
#include "base/utf8.h"

namespace banyan::inline v0_1::internal {
namespace {

constexpr std::string_view kExpectedValue =
    "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or "
    "'false')";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsWordCharacter(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

void AppendUnicodeEscape(std::string* out, unsigned unit) {
  constexpr char kHex[] = "0123456789abcdef";
  out->append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) out->push_back(kHex[(unit >> shift) & 0xF]);
}

}  // namespace

TextPosition PositionAt(std::string_view text, size_t offset) {
  TextPosition position;
  for (size_t i = 0; i < offset && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++position.line;
      position.column = 1;
    } else if (!IsUtf8Continuation(text[i])) {
      ++position.column;
    }
  }
  return position;
}

std::string AtPosition(std::string_view reason, std::string_view text, size_t offset) {
  const TextPosition position = PositionAt(text, offset);
  return StrCat(reason, " at line ", position.line, ", column ", position.column);
}

JsonToken JsonReader::Next() {
  if (token_ == JsonToken::kError) return token_;
  SkipSpace();
  if (open_.empty()) {
    if (started_ || AtEnd()) return Accept(JsonToken::kEnd, position_);
    started_ = true;
    return Value();
  }
  if (token_ == JsonToken::kName) return Value();
  if (AtEnd()) return FailEnd();
  Open& top = open_.back();
  if (Peek() == '}' || Peek() == ']') {
    const bool closes_object = Peek() == '}';
    if (closes_object != top.is_object) return FailMismatch(Peek());
    return Finish(closes_object);
  }
  if (top.has_members) {
    if (Peek() != ',') {
      return FailCharacter(top.is_object ? "was expecting comma to separate Object entries"
                                         : "was expecting comma to separate Array entries");
    }
    ++position_;
    SkipSpace();
    if (AtEnd()) return FailEnd();
  }
  top.has_members = true;
  return top.is_object ? Name() : Value();
}

JsonToken JsonReader::Name() {
  if (Peek() != '"') return FailCharacter("was expecting double-quote to start field name");
  const size_t begin = position_++;
  if (!String()) return token_;
  const size_t end = position_;
  SkipSpace();
  if (AtEnd()) return FailEnd();
  if (Peek() != ':') return FailCharacter("was expecting a colon to separate field name and value");
  ++position_;
  SkipSpace();
  Accept(JsonToken::kName, begin);
  end_ = end;
  return token_;
}

JsonToken JsonReader::Value() {
  if (AtEnd()) return FailEnd();
  switch (Peek()) {
    case '{':
      return Start(true);
    case '[':
      return Start(false);
    case '"': {
      const size_t begin = position_++;
      return String() ? Accept(JsonToken::kString, begin) : token_;
    }
    case 't':
      return Literal("true", JsonToken::kTrue);
    case 'f':
      return Literal("false", JsonToken::kFalse);
    case 'n':
      return Literal("null", JsonToken::kNull);
    default:
      if (Peek() == '-' || IsDigit(Peek())) return Number();
      if (IsWordCharacter(Peek())) return FailWord();
      return FailCharacter(kExpectedValue);
  }
}

JsonToken JsonReader::Start(bool is_object) {
  open_.push_back({.offset = position_, .is_object = is_object, .has_members = false});
  ++position_;
  if (open_.size() > depth_max_) {
    return Fail("Depth (" + std::to_string(open_.size()) +
                    ") exceeds the maximum allowed nesting depth (" + std::to_string(depth_max_) +
                    ")",
                position_);
  }
  Accept(is_object ? JsonToken::kStartObject : JsonToken::kStartArray, position_ - 1);
  text_ = raw();
  return token_;
}

JsonToken JsonReader::Finish(bool is_object) {
  open_.pop_back();
  ++position_;
  Accept(is_object ? JsonToken::kEndObject : JsonToken::kEndArray, position_ - 1);
  text_ = raw();
  return token_;
}

JsonToken JsonReader::Literal(std::string_view word, JsonToken token) {
  const size_t begin = position_;
  const size_t end = begin + word.size();
  const bool complete = source_.substr(begin, word.size()) == word &&
                        (end >= source_.size() || !IsWordCharacter(source_[end]));
  if (!complete) return FailWord();
  position_ = end;
  Accept(token, begin);
  text_ = raw();
  return token_;
}

JsonToken JsonReader::Number() {
  const size_t begin = position_;
  const auto digits = [this] {
    const size_t first = position_;
    while (!AtEnd() && IsDigit(Peek())) ++position_;
    return position_ > first;
  };
  const auto missing = [this](std::string text) {
    return Fail(std::move(text), AtEnd() ? position_ : position_ + 1);
  };
  if (Peek() == '-') ++position_;
  if (!AtEnd() && Peek() == '0') {
    ++position_;
    if (!AtEnd() && IsDigit(Peek())) {
      return Fail("Invalid numeric value: Leading zeroes not allowed", position_);
    }
  } else if (!digits()) {
    return missing("Invalid numeric value: a digit must follow the minus sign");
  }
  if (!AtEnd() && Peek() == '.') {
    ++position_;
    if (!digits()) return missing("Invalid numeric value: Decimal point not followed by a digit");
  }
  if (!AtEnd() && (Peek() == 'e' || Peek() == 'E')) {
    ++position_;
    if (!AtEnd() && (Peek() == '+' || Peek() == '-')) ++position_;
    if (!digits()) {
      return missing("Invalid numeric value: Exponent indicator not followed by a digit");
    }
  }
  Accept(JsonToken::kNumber, begin);
  text_ = raw();
  return token_;
}

bool JsonReader::String() {
  // Most strings hold no escape: they are a view of the source and cost no copy.
  const size_t first = position_;
  bool copied = false;
  while (true) {
    if (AtEnd()) {
      Fail("Unexpected end-of-input: was expecting closing quote for a string value", position_);
      return false;
    }
    const char c = Peek();
    if (c == '"') break;
    if (c == '\\') {
      if (!copied) scratch_.assign(source_.substr(first, position_ - first));
      copied = true;
      ++position_;
      if (!Escape()) return false;
      continue;
    }
    if (static_cast<unsigned char>(c) < 0x20) {
      Fail("Illegal unquoted character ((CTRL-CHAR, code " + std::to_string(c) +
               ")): has to be escaped using backslash to be included in string value",
           position_ + 1);
      return false;
    }
    const size_t length = Utf8Length(source_.substr(position_, 4));
    if (length == 0) {
      Fail("Invalid UTF-8 in a string value", position_ + 1);
      return false;
    }
    if (copied) scratch_.append(source_.substr(position_, length));
    position_ += length;
  }
  text_ = copied ? std::string_view(scratch_) : source_.substr(first, position_ - first);
  ++position_;
  return true;
}

bool JsonReader::Escape() {
  if (AtEnd()) {
    Fail("Unexpected end-of-input: was expecting closing quote for a string value", position_);
    return false;
  }
  const char c = source_[position_++];
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (const size_t i = kLetters.find(c); i != std::string_view::npos) {
    scratch_.push_back(kMeanings[i]);
    return true;
  }
  if (c != 'u') {
    std::string text = "Unrecognized character escape '";
    text.push_back(c);
    text += "' (code " + std::to_string(static_cast<unsigned char>(c)) + ")";
    Fail(std::move(text), position_);
    return false;
  }
  unsigned unit = 0;
  if (!HexUnit(&unit)) return false;
  char32_t character = unit;
  const bool is_high = unit >= 0xD800 && unit < 0xDC00;
  if (is_high && source_.substr(position_, 2) == "\\u") {
    const size_t after_high = position_;
    position_ += 2;
    unsigned low = 0;
    if (!HexUnit(&low)) return false;
    if (low >= 0xDC00 && low < 0xE000) {
      character = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    } else {
      position_ = after_high;  // not a pair: the second escape stands for itself (J4)
    }
  }
  AppendUtf8(&scratch_, character);
  return true;
}

bool JsonReader::HexUnit(unsigned* unit) {
  *unit = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = AtEnd() ? '\0' : Peek();
    unsigned digit = 0;
    if (IsDigit(c)) {
      digit = static_cast<unsigned>(c - '0');
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      digit = static_cast<unsigned>((c | 0x20) - 'a') + 10;
    } else {
      Fail("Unexpected character: expected a hex-digit for character escape sequence", position_);
      return false;
    }
    *unit = *unit * 16 + digit;
    ++position_;
  }
  return true;
}

JsonToken JsonReader::Accept(JsonToken token, size_t begin) {
  token_ = token;
  begin_ = begin;
  end_ = position_;
  return token;
}

JsonToken JsonReader::Fail(std::string text, size_t offset) {
  error_ = std::move(text);
  error_offset_ = offset;
  begin_ = end_ = position_;
  text_ = {};
  token_ = JsonToken::kError;
  return token_;
}

JsonToken JsonReader::FailCharacter(std::string_view expectation) {
  const size_t length = std::max<size_t>(1, Utf8Length(source_.substr(position_, 4)));
  std::string_view character = source_.substr(position_, length);
  const uint32_t code = length == 1 ? static_cast<unsigned char>(Peek()) : TakeUtf8(&character);
  std::string text = "Unexpected character ('";
  text.append(source_.substr(position_, length));
  text += "' (code " + std::to_string(code) + ")): ";
  text += Peek() == '/' ? "maybe a (non-standard) comment? (not recognized as one since Feature "
                          "'ALLOW_COMMENTS' not enabled for parser)"
                        : expectation;
  return Fail(std::move(text), position_ + length);
}

JsonToken JsonReader::FailWord() {
  size_t end = position_;
  while (end < source_.size() && IsWordCharacter(source_[end])) ++end;
  const std::string word(source_.substr(position_, std::min<size_t>(end - position_, 256)));
  if (word == "NaN" || word == "Infinity") {
    return Fail("Non-standard token '" + word +
                    "': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow",
                end);
  }
  return Fail("Unrecognized token '" + word +
                  "': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or "
                  "'false')",
              end);
}

JsonToken JsonReader::FailEnd() {
  // Only called inside a bracket: an empty text is kEnd, not an error.
  error_bracket_ = open_.back().offset;
  return Fail(open_.back().is_object
                  ? "Unexpected end-of-input: expected close marker for Object (start marker at "
                  : "Unexpected end-of-input: expected close marker for Array (start marker at ",
              position_);
}

JsonToken JsonReader::FailMismatch(char close) {
  const Open& top = open_.back();
  error_bracket_ = top.offset;
  std::string text = "Unexpected close marker '";
  text.push_back(close);
  text += top.is_object ? "': expected '}' (for Object starting at "
                        : "': expected ']' (for Array starting at ";
  return Fail(std::move(text), position_ + 1);
}

std::string JsonReader::ErrorText(absl::FunctionRef<std::string(size_t)> where) const {
  return error_bracket_ == kNoOffset ? error_ : error_ + where(error_bracket_) + ")";
}

std::string JsonReader::ErrorText() const {
  return ErrorText([this](size_t offset) {
    const TextPosition position = PositionAt(source_, offset);
    return "line " + std::to_string(position.line) + ", column " + std::to_string(position.column);
  });
}

void JsonReader::SkipSpace() {
  while (!AtEnd() && (Peek() == ' ' || Peek() == '\t' || Peek() == '\n' || Peek() == '\r'))
    ++position_;
}

bool JsonReader::AtEndOfText() {
  SkipSpace();
  return AtEnd();
}

bool JsonReader::SkipValue() {
  if (token_ != JsonToken::kStartObject && token_ != JsonToken::kStartArray) {
    return token_ != JsonToken::kError;
  }
  const size_t outside = depth() - 1;
  while (depth() > outside) {
    if (Next() == JsonToken::kError) return false;
  }
  return true;
}

namespace {

// Gives `put` the JSON string for `text`, piece by piece.
template <typename Put>
void PutJsonString(std::string_view text, Put put) {
  std::string escape;
  put("\"");
  while (!text.empty()) {
    const char c = text.front();
    const unsigned byte = static_cast<unsigned char>(c);
    size_t length = 1;
    escape.clear();
    if (c == '"') {
      put("\\\"");
    } else if (c == '\\') {
      put("\\\\");
    } else if (c == '\n') {
      put("\\n");
    } else if (c == '\r') {
      put("\\r");
    } else if (c == '\t') {
      put("\\t");
    } else if (byte < 0x20) {
      AppendUnicodeEscape(&escape, byte);
      put(escape);
    } else if (length = Utf8Length(text, Surrogates::kAccept); length == 0) {
      AppendUtf8(&escape, 0xFFFD);
      put(escape);
      length = 1;
    } else if (byte == 0xED && static_cast<unsigned char>(text[1]) > 0x9F) {
      AppendUnicodeEscape(&escape, 0xD000u | ((static_cast<unsigned char>(text[1]) & 0x3Fu) << 6) |
                                       (static_cast<unsigned char>(text[2]) & 0x3Fu));
      put(escape);
    } else {
      put(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  put("\"");
}

}  // namespace

void AppendJsonString(std::string* out, std::string_view text) {
  PutJsonString(text, [out](std::string_view piece) { out->append(piece); });
}

size_t JsonStringSize(std::string_view text) {
  size_t size = 0;
  PutJsonString(text, [&size](std::string_view piece) { size += piece.size(); });
  return size;
}

std::string JsonString(std::string_view text) {
  std::string out;
  AppendJsonString(&out, text);
  return out;
}

void AppendWithoutSpace(std::string* out, std::string_view json) {
  size_t run = 0;  // where what is not copied yet begins
  for (size_t i = 0; i < json.size();) {
    const char c = json[i];
    if (c == '"') {
      while (json[++i] != '"') i += json[i] == '\\';
      ++i;
    } else if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
      out->append(json, run, i - run);
      run = ++i;
    } else {
      ++i;
    }
  }
  out->append(json, run);
}

bool CompactJson(std::string_view json, std::string* out, std::string* error) {
  JsonReader reader(json);
  out->clear();
  bool first = true;  // in its bracket: no comma in front
  const auto fail = [&](std::string text) {
    if (error != nullptr) *error = std::move(text);
    return false;
  };
  while (reader.Next() != JsonToken::kEnd) {
    const JsonToken token = reader.token();
    if (token == JsonToken::kError) return fail(reader.ErrorText());
    if (!first && token != JsonToken::kEndObject && token != JsonToken::kEndArray)
      out->push_back(',');
    out->append(reader.raw());
    if (token == JsonToken::kName) out->push_back(':');
    first = token == JsonToken::kName || token == JsonToken::kStartObject ||
            token == JsonToken::kStartArray;
  }
  if (out->empty()) return fail("There is no JSON value in the text");
  if (!reader.AtEndOfText()) return fail("There is more text behind the JSON value");
  return true;
}

}  // namespace banyan::inline v0_1::internal
