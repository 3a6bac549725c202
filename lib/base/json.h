// SPDX-License-Identifier: Apache-2.0
//
// Floor 0, the base room: reading and writing JSON text.
//
// JsonReader hands out one token per call and stops at the end of the first value:
//
//   {"a": [1, "x"]} rest   ->   { name(a) [ number(1) string(x) ] } end
//
// J1  Strict RFC 8259: no comments, no trailing commas, no leading zeros, no NaN, no byte order
//     mark, and the text must be UTF-8.
// J2  The first error in document order is the one reported; after it every token is kError.
// J3  Numbers are kept as the text they were written in; nobody loses a digit here.
// J4  Strings are decoded. An escaped half of a surrogate pair that stands alone ("\ud800") is
//     legal JSON; it is kept in the three bytes UTF-8 would use for it, and written back as an
//     escape.
// J5  Memory is one small record per open bracket, and depth is bounded.
//
// Why not a parser from the distribution: AWS's pattern errors are its JSON reader's errors (text
// and position are part of the API), an event may hold 1e400 or "\ud800" and both must compare
// equal to themselves. Debian's RapidJSON refuses 1e400 even when told to keep numbers as text, it
// and simdjson refuse "\ud800", and none names the unclosed bracket. Rooms that want speed instead
// of words use a faster scanner beside this one.
#ifndef BANYAN_LIB_BASE_JSON_H_
#define BANYAN_LIB_BASE_JSON_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"

namespace banyan::inline v0_1::internal {

enum class JsonToken {
  kStartObject,
  kEndObject,
  kStartArray,
  kEndArray,
  kName,  // a member's name; the colon behind it is already consumed
  kString,
  kNumber,
  kTrue,
  kFalse,
  kNull,
  kEnd,    // the first value is complete, or the text holds none
  kError,  // see ErrorText()
};

// A place in a text as people count: lines and columns from 1, columns in characters.
struct TextPosition {
  size_t line = 1;
  size_t column = 1;
};
TextPosition PositionAt(std::string_view text, size_t offset);
// "REASON at line 1, column 1".
std::string AtPosition(std::string_view reason, std::string_view text, size_t offset);

class JsonReader {
 public:
  // `text` must outlive the reader. An opening bracket beyond `depth_max` is an error.
  explicit JsonReader(std::string_view text, size_t depth_max = 1000)
      : source_(text), depth_max_(depth_max) {}

  JsonReader(const JsonReader&) = delete;  // text() may point into scratch_
  JsonReader& operator=(const JsonReader&) = delete;

  JsonToken Next();

  JsonToken token() const { return token_; }
  // Decoded characters of a name or string; the characters of every other token as written.
  // Valid until the next call of Next().
  std::string_view text() const { return text_; }
  // The token as written, quotes and escapes included.
  std::string_view raw() const { return source_.substr(begin_, end_ - begin_); }

  size_t begin() const { return begin_; }  // offset of the token's first byte
  size_t end() const { return end_; }      // offset behind its last byte
  // Offset of the next unread byte: behind end(), and behind the colon after a name.
  size_t position() const { return position_; }
  size_t depth() const { return open_.size(); }
  // After kEnd: is there nothing but white space behind the value?
  bool AtEndOfText();
  // Reads up to the end of the value that starts with the current token. False on an error.
  bool SkipValue();

  // After kError: what is wrong, in the words of the JSON reader that AWS uses. Some texts point
  // back to an opening bracket; `where` writes that place (default: "line 1, column 6").
  std::string ErrorText(absl::FunctionRef<std::string(size_t offset)> where) const;
  std::string ErrorText() const;
  // After kError: offset just behind what was read when the error was noticed.
  size_t error_offset() const { return error_offset_; }

 private:
  struct Open {
    size_t offset;
    bool is_object;
    bool has_members;
  };
  static constexpr size_t kNoOffset = static_cast<size_t>(-1);

  JsonToken Value();
  JsonToken Name();
  JsonToken Number();
  JsonToken Literal(std::string_view word, JsonToken token);
  JsonToken Start(bool is_object);
  JsonToken Finish(bool is_object);
  JsonToken Accept(JsonToken token, size_t begin);  // a token ends at position_
  bool String();                                    // position_ is behind the opening quote
  bool Escape();                                    // position_ is behind the backslash
  bool HexUnit(unsigned* unit);

  JsonToken Fail(std::string text, size_t offset);
  JsonToken FailCharacter(std::string_view expectation);
  JsonToken FailWord();
  JsonToken FailEnd();
  JsonToken FailMismatch(char close);
  void SkipSpace();
  bool AtEnd() const { return position_ >= source_.size(); }
  char Peek() const { return source_[position_]; }

  std::string_view source_;
  size_t depth_max_;
  size_t position_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  JsonToken token_ = JsonToken::kEnd;
  bool started_ = false;
  std::string_view text_;
  std::string scratch_;  // decoded characters, only used by strings with an escape
  std::vector<Open> open_;

  std::string error_;
  size_t error_offset_ = 0;
  size_t error_bracket_ = kNoOffset;  // error_ ends in "at " and wants this place and a ")"
};

// Appends `text` as a JSON string, quotes included. The result is always valid JSON: lone
// surrogates (see J4) are escaped, and bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string* out, std::string_view text);
std::string JsonString(std::string_view text);
// JsonString(text).size(), without making it.
size_t JsonStringSize(std::string_view text);

// Appends `json` without the white space between its tokens. It must be valid JSON.
void AppendWithoutSpace(std::string* out, std::string_view json);

// Replaces *out by `json` without the white space between its tokens; numbers and strings keep
// their text. False, with the reason in *error if that is given, when `json` is not one JSON value.
bool CompactJson(std::string_view json, std::string* out, std::string* error = nullptr);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_JSON_H_
