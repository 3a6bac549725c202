// SPDX-License-Identifier: Apache-2.0
//
// Random patterns and events for tests that compare two matchers.
//
//   small world ---> patterns ---> events near them ---> text
//   (few paths,      (compiled)    (satisfy one,         (escapes, white space,
//    few values)                    then spoil it)         now and then broken)
//
// Independent draws would hardly ever meet: nearly every pair would be a plain "no match", and a
// matcher that always says no would look good. So everything is biased towards the edge between
// match and no match:
//
// R1  Paths and values come from families whose members differ by little: by a last byte, by case,
//     by the spelling of one number or address.
// R2  An event starts as one that satisfies sub-rules of given patterns, in a random shape (nesting
//     or dots, arrays, repeated names), and then suffers a few small changes.
// R3  A tree keeps what its text says: order, repeated names, digits. The text is what is judged;
//     the tree is only a way to make it.
#ifndef BANYAN_TESTS_PATTERN_RANDOM_PATTERNS_H_
#define BANYAN_TESTS_PATTERN_RANDOM_PATTERNS_H_

#include <cstddef>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "banyan/attributes.h"
#include "banyan/pattern.h"
#include "pattern/compiled_pattern.h"
#include "pattern/value_pattern.h"

namespace banyan::inline v0_1::internal {

// A JSON value that loses nothing but spelling (R3).
struct JsonTree {
  enum class Kind { kString, kOther, kArray, kObject };
  struct Member;

  Kind kind = Kind::kOther;
  std::string text = "null";     // kString: the decoded characters; kOther: as written
  std::vector<Member> children;  // of an array or object

  static JsonTree Array();
  static JsonTree Object();
  bool is_scalar() const { return kind == Kind::kString || kind == Kind::kOther; }
};
struct JsonTree::Member {
  std::string name;  // unused in an array
  JsonTree value;
};
inline JsonTree JsonTree::Array() { return {.kind = Kind::kArray, .text = "", .children = {}}; }
inline JsonTree JsonTree::Object() { return {.kind = Kind::kObject, .text = "", .children = {}}; }

// A node of a tree that is not the root, by its place.
struct JsonSpot {
  JsonTree* parent;
  size_t index;

  JsonTree::Member& member() const { return parent->children[index]; }
  JsonTree& value() const { return member().value; }
};

// nullopt if the text does not begin with a JSON value.
std::optional<JsonTree> ParseTree(std::string_view json);
// Without white space, escapes only where they must be.
std::string PlainText(const JsonTree& tree);

class RandomPatterns {
 public:
  // Draws a world of a few paths and values (R1). `random` must outlive the generator.
  RandomPatterns(PatternLanguage language, std::mt19937_64& random);

  // Mostly a valid pattern; not always, so that refusals are met, too.
  std::string Pattern();

  // An event close to some of these patterns (R2). About one in fourteen is no JSON.
  std::string Event(absl::Span<const CompiledPattern* const> near);

  // Likewise a message's attributes.
  Attributes Message(absl::Span<const CompiledPattern* const> near);

 private:
  struct Wish {  // a field that an event should have
    std::string path;
    Value value;
  };
  // How texts of one event are written.
  struct Spelling {
    unsigned space_percent = 0;
    unsigned escape_percent = 0;
  };

  // ---- Chance.
  size_t Below(size_t bound) { return static_cast<size_t>(random_() % bound); }
  bool Chance(unsigned percent) { return random_() % 100 < percent; }
  template <typename T>
  const T& OneOf(const std::vector<T>& list) {
    return list[Below(list.size())];
  }
  // Lengths at which a text can be cut without breaking a character.
  static std::vector<size_t> Cuts(std::string_view text);

  // ---- Patterns: random_patterns.cc.
  std::string PatternObject(const std::string& prefix, int depth);
  std::string PatternLeaf();
  std::string PatternElement();
  std::string AnythingBut();
  std::string Numeric();
  std::string WildcardText();
  std::string TextPart();  // a piece of one of the world's strings
  std::string Quoted(std::string_view text);

  // ---- Events: random_events.cc.
  std::vector<Wish> Wishes(const CompiledPattern& pattern);
  std::optional<Value> Witness(const ValuePattern& wanted);
  Value AnyValue();
  JsonTree AnyScalar();
  JsonTree Decoy();
  JsonTree Noise();
  std::string AnySegment();
  void Place(JsonTree* object, std::string_view path, const JsonTree& value);
  bool SplitObject(const std::vector<JsonSpot>& spots);
  void Mutate(JsonTree* root);
  std::string Respelled(const std::string& number);
  std::string Broken(std::string text);
  void Write(const JsonTree& tree, const Spelling& spelling, std::string* out);
  void WriteString(std::string_view text, const Spelling& spelling, std::string* out);
  void WriteSpace(const Spelling& spelling, std::string* out);

  const PatternLanguage language_;
  std::mt19937_64& random_;
  int leaves_left_ = 0;  // of the pattern that is being written
  std::vector<std::string> paths_;
  std::vector<std::string> strings_;
  std::vector<std::string> numbers_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_TESTS_PATTERN_RANDOM_PATTERNS_H_
