// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/syntax.h -- floor 2: from a pattern's text to its tree.
//
//   {"a": ["x"], "$or": [{"b": [1]}, {"c": {"d": [2]}}]}
//
//   object -+- "a"    leaf ["x"]
//           +- "$or"  -+- object - "b" leaf [1]
//                      +- object - "c" object - "d" leaf [2]
//
// The tree keeps what the text says in the order it says it; what it means (flat paths, overriding,
// expansion of "$or") is compiled_pattern.h's business.
//
// S1  The text is read as a stream of tokens, and the first error in document order is the one that
//     is reported, a semantic one before a later syntax error. Text behind the last brace is not
//     read.
// S2  Reasons and positions are the service's. A position is where the service's reader stands when
//     it complains: behind the current token, except that it opens a string without reading it
//     until somebody asks for the characters, and looks one token ahead behind a name.
// S3  Depth is bounded by the reader (Limits), hence so is the recursion here.
#ifndef BANYAN_LIB_PATTERN_SYNTAX_H_
#define BANYAN_LIB_PATTERN_SYNTAX_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "banyan/limits.h"
#include "banyan/pattern.h"
#include "pattern/value_pattern.h"

namespace banyan::inline v0_1::internal {

// Why a text is not a pattern.
struct PatternError {
  enum class Kind {
    kSyntax,    // not JSON
    kMeaning,   // JSON, but no pattern
    kUnplaced,  // no pattern, and the service names no position (CIDR, limits)
    kScope,     // a nested policy where only flat ones are understood
  };
  Kind kind = Kind::kMeaning;
  std::string reason;  // the service's text, without prefix and position
  size_t offset = 0;   // bytes; 0 for kUnplaced
  size_t line = 0;     // from 1; 0 for kUnplaced
  size_t column = 0;
};

// "Event pattern is not valid. Reason: <reason>" and, where the service has one, the position line.
absl::Status EventBridgeStatus(const PatternError& error, std::string_view pattern);
// "FilterPolicy: <reason>" with the position line. Subscribe puts "Invalid parameter: Attributes
// Reason: " in front, SetSubscriptionAttributes "Invalid parameter: ".
std::string FilterPolicyText(const PatternError& error, std::string_view pattern);
// The first of these, or the second as an error of its own.
absl::Status PatternStatus(const PatternError& error, std::string_view pattern,
                           PatternLanguage language);

struct LeafSyntax {
  std::vector<ValuePattern> values;  // never empty, ORed
  std::string text;                  // the array as written, without white space: for Explain
  size_t depth = 1;                  // of objects around it; "$or" adds none
  size_t begin = 0;                  // offset of the array; no two leaves of a text share it
};

struct ObjectSyntax;

// One member. Exactly one of the three is set.
struct MemberSyntax {
  std::string name;
  size_t begin = 0;  // offset of the name
  std::shared_ptr<const LeafSyntax> leaf;
  std::unique_ptr<ObjectSyntax> object;
  std::vector<ObjectSyntax> alternatives;  // of a "$or", two at least
};

struct ObjectSyntax {
  std::vector<MemberSyntax> members;
  size_t begin = 0;  // offset of the object
};

// What "$or" means. The engine first reads a pattern with kRelation; if that fails for any reason
// it reads it again with kFieldName, so that {"$or": ["x"]} asks for a field of that name.
enum class OrKey { kRelation, kFieldName };

struct SyntaxResult {
  ObjectSyntax tree;
  std::unique_ptr<PatternError> error;  // null: `tree` holds the pattern
  bool saw_or = false;                  // a key "$or" was read
};

SyntaxResult ParsePattern(std::string_view text, PatternLanguage language, const Limits& limits,
                          OrKey or_key);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_SYNTAX_H_
