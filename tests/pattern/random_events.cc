// SPDX-License-Identifier: Apache-2.0
//
// The events and messages of random_patterns.h, and how they are written.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>
#include <variant>

#include "base/json.h"
#include "base/utf8.h"
#include "random_patterns.h"

namespace banyan::inline v0_1::internal {
namespace {

using namespace std::string_literals;

std::string ShortestText(double number) {
  char text[32];
  const auto written = std::to_chars(text, text + sizeof(text), number);
  return std::string(text, written.ptr);
}

JsonTree TreeOf(const Value& value) {
  return {
      .kind = value.kind == ValueKind::kString ? JsonTree::Kind::kString : JsonTree::Kind::kOther,
      .text = value.text,
      .children = {}};
}

void CollectSpots(JsonTree* tree, std::vector<JsonSpot>* spots) {
  for (size_t i = 0; i < tree->children.size(); ++i) {
    spots->push_back({tree, i});
    CollectSpots(&tree->children[i].value, spots);
  }
}

// The reader's current value; leaves its last token current.
std::optional<JsonTree> ReadTree(JsonReader& reader) {
  switch (reader.token()) {
    case JsonToken::kStartObject: {
      JsonTree tree = JsonTree::Object();
      while (reader.Next() == JsonToken::kName) {
        std::string name(reader.text());
        reader.Next();
        std::optional<JsonTree> value = ReadTree(reader);
        if (!value.has_value()) return std::nullopt;
        tree.children.push_back({std::move(name), *std::move(value)});
      }
      if (reader.token() != JsonToken::kEndObject) return std::nullopt;
      return tree;
    }
    case JsonToken::kStartArray: {
      JsonTree tree = JsonTree::Array();
      while (reader.Next() != JsonToken::kEndArray) {
        std::optional<JsonTree> value = ReadTree(reader);
        if (!value.has_value()) return std::nullopt;
        tree.children.push_back({"", *std::move(value)});
      }
      return tree;
    }
    case JsonToken::kString:
      return JsonTree{
          .kind = JsonTree::Kind::kString, .text = std::string(reader.text()), .children = {}};
    case JsonToken::kNumber:
    case JsonToken::kTrue:
    case JsonToken::kFalse:
    case JsonToken::kNull:
      return JsonTree{
          .kind = JsonTree::Kind::kOther, .text = std::string(reader.text()), .children = {}};
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<JsonTree> ParseTree(std::string_view json) {
  JsonReader reader(json);
  reader.Next();
  return ReadTree(reader);
}

std::string PlainText(const JsonTree& tree) {
  if (tree.kind == JsonTree::Kind::kString) return JsonString(tree.text);
  if (tree.kind == JsonTree::Kind::kOther) return tree.text;
  const bool is_object = tree.kind == JsonTree::Kind::kObject;
  std::string out = is_object ? "{" : "[";
  for (const JsonTree::Member& child : tree.children) {
    if (out.size() > 1) out += ',';
    if (is_object) out += JsonString(child.name) + ":";
    out += PlainText(child.value);
  }
  return out + (is_object ? "}" : "]");
}

// ---- Events.

Value RandomPatterns::AnyValue() {
  const size_t kind = Below(10);
  if (kind < 5) return {ValueKind::kString, OneOf(strings_)};
  if (kind < 8) return {ValueKind::kNumber, OneOf(numbers_)};
  switch (Below(3)) {
    case 0:
      return {ValueKind::kTrue, "true"};
    case 1:
      return {ValueKind::kFalse, "false"};
    default:
      return {ValueKind::kNull, "null"};
  }
}

// A value that satisfies an element of a leaf; nullopt if none comes to mind.
std::optional<Value> RandomPatterns::Witness(const ValuePattern& wanted) {
  std::vector<Value> ideas;
  const auto text = [&ideas](std::string characters) {
    ideas.push_back({ValueKind::kString, std::move(characters)});
  };
  if (const auto* test = std::get_if<TextTest>(&wanted)) {
    if (const auto* equal = std::get_if<EqualTest>(test)) text(equal->text);
    if (const auto* prefix = std::get_if<PrefixTest>(test)) {
      text(prefix->text);
      text(prefix->text + TextPart());
    }
    if (const auto* suffix = std::get_if<SuffixTest>(test)) {
      text(suffix->text);
      text(TextPart() + suffix->text);
    }
    if (const auto* wildcard = std::get_if<WildcardTest>(test)) {
      std::string joined;
      for (const std::string& literal : wildcard->wildcard.literals()) {
        if (&literal != &wildcard->wildcard.literals().front() && Chance(60)) joined += TextPart();
        joined += literal;
      }
      text(joined);
    }
  }
  if (const auto* number = std::get_if<NumberEqual>(&wanted)) {
    ideas.push_back({ValueKind::kNumber, number->text});
    ideas.push_back({ValueKind::kNumber, Respelled(number->text)});
  }
  if (const auto* range = std::get_if<NumberRange>(&wanted)) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    for (const std::optional<double>& bound : {range->low, range->high}) {
      if (!bound.has_value()) continue;
      for (const double near :
           {*bound, std::nextafter(*bound, kInfinity), std::nextafter(*bound, -kInfinity)}) {
        if (std::isfinite(near)) ideas.push_back({ValueKind::kNumber, ShortestText(near)});
      }
    }
  }
  if (const auto* literal = std::get_if<Literal>(&wanted)) {
    ideas.push_back({literal->kind, literal->kind == ValueKind::kTrue    ? "true"
                                    : literal->kind == ValueKind::kFalse ? "false"
                                                                         : "null"});
  }
  for (int i = 0; i < 12; ++i) ideas.push_back(AnyValue());
  std::erase_if(ideas, [&wanted](const Value& idea) { return !internal::Matches(wanted, idea); });
  if (ideas.empty()) return std::nullopt;
  return OneOf(ideas);
}

// Fields that satisfy one sub-rule, one by one.
std::vector<RandomPatterns::Wish> RandomPatterns::Wishes(const CompiledPattern& pattern) {
  std::vector<Wish> wishes;
  for (const Condition& condition : OneOf(pattern.sub_rules()).conditions) {
    const ValuePattern& wanted = OneOf(condition.leaf->values);
    std::optional<Value> value = Witness(wanted);
    if (value.has_value()) wishes.push_back({condition.path, *std::move(value)});
  }
  return wishes;
}

JsonTree RandomPatterns::AnyScalar() { return TreeOf(AnyValue()); }

std::string RandomPatterns::AnySegment() {
  const std::string& path = OneOf(paths_);
  const size_t begin = Below(path.size() + 1);
  if (Chance(60)) return path.substr(0, path.find('.'));
  if (Chance(80)) return path.substr(path.rfind('.') + 1);
  const std::vector<size_t> cuts = Cuts(path);
  return path.substr(0, *std::lower_bound(cuts.begin(), cuts.end(), begin));
}

// Something small that stands beside what counts.
JsonTree RandomPatterns::Decoy() {
  switch (Below(8)) {
    case 0:
      return JsonTree::Array();
    case 1:
      return JsonTree::Object();
    case 2: {
      JsonTree array = JsonTree::Array();
      for (size_t i = 0, count = 1 + Below(3); i < count; ++i) {
        array.children.push_back({"", AnyScalar()});
      }
      return array;
    }
    case 3:
    case 4: {
      JsonTree object = JsonTree::Object();
      for (size_t i = 0, count = 1 + Below(2); i < count; ++i) {
        object.children.push_back({AnySegment(), AnyScalar()});
      }
      return object;
    }
    default:
      return AnyScalar();
  }
}

// A subtree that nobody asks for and that a hasty reader trips over: long, full of brackets and
// quotes, with wanted names in the wrong place.
JsonTree RandomPatterns::Noise() {
  const auto string = [](std::string text) {
    return JsonTree{.kind = JsonTree::Kind::kString, .text = std::move(text), .children = {}};
  };
  const char* tricks[] = {"}", "]", "{\"a\":[", "\"", "\\", "\\\"", "\",\"a\":1,\"", "]}]}", ":"};
  switch (Below(5)) {
    case 0: {  // one long string
      std::string text;
      for (size_t size = 40 + Below(160); text.size() < size;) {
        text += tricks[Below(std::size(tricks))];
        text += std::string(Below(20), 'z');
      }
      return string(text);
    }
    case 1: {  // an array of numbers
      JsonTree array = JsonTree::Array();
      for (size_t i = 0, count = Below(60); i < count; ++i) {
        array.children.push_back({"",
                                  {.kind = JsonTree::Kind::kOther,
                                   .text = std::to_string(Below(100'000)),
                                   .children = {}}});
      }
      return array;
    }
    case 2: {  // nesting
      JsonTree tree = AnyScalar();
      for (size_t i = 0, depth = 1 + Below(40); i < depth; ++i) {
        JsonTree around = Chance(50) ? JsonTree::Array() : JsonTree::Object();
        if (Chance(20)) around.children.push_back({AnySegment(), string(tricks[Below(9)])});
        around.children.push_back({AnySegment(), std::move(tree)});
        tree = std::move(around);
      }
      return tree;
    }
    case 3: {  // wanted names, one level too deep
      JsonTree object = JsonTree::Object();
      for (size_t i = 0, count = 1 + Below(8); i < count; ++i) {
        Place(&object, OneOf(paths_), AnyScalar());
      }
      return object;
    }
    default: {  // strings of tricks
      JsonTree array = JsonTree::Array();
      for (size_t i = 0, count = Below(20); i < count; ++i) {
        array.children.push_back({"", string(tricks[Below(std::size(tricks))])});
      }
      return array;
    }
  }
}

// Puts `value` at `path` below the object, in one of the many shapes that mean so.
void RandomPatterns::Place(JsonTree* object, std::string_view path, const JsonTree& value) {
  const auto wrapped = [this](JsonTree inner) {
    JsonTree array = JsonTree::Array();
    if (Chance(40)) array.children.push_back({"", Decoy()});
    if (Chance(15)) {
      JsonTree middle = JsonTree::Array();
      middle.children.push_back({"", std::move(inner)});
      inner = std::move(middle);
    }
    array.children.push_back({"", std::move(inner)});
    return array;
  };
  const size_t dot = path.find('.', Below(path.size() + 1));
  if (dot == std::string_view::npos || Chance(25)) {
    JsonTree placed = Chance(20) ? wrapped(value) : value;
    if (placed.kind == JsonTree::Kind::kArray && Chance(50)) {
      placed.children.push_back({"", Decoy()});
    }
    object->children.push_back({std::string(path), std::move(placed)});
    return;
  }
  const std::string key(path.substr(0, dot));
  const std::string_view rest = path.substr(dot + 1);
  // Into what is there already, mostly: the conditions of one array must meet in one element.
  for (size_t i = object->children.size(); i-- > 0;) {
    if (object->children[i].name != key || !Chance(90)) continue;
    JsonTree* inside = &object->children[i].value;
    while (inside->kind == JsonTree::Kind::kArray && !inside->children.empty()) {
      inside = Chance(90) ? &inside->children.back().value
                          : &inside->children[Below(inside->children.size())].value;
    }
    if (inside->kind != JsonTree::Kind::kObject) continue;
    Place(inside, rest, value);
    return;
  }
  JsonTree inside = JsonTree::Object();
  Place(&inside, rest, value);
  object->children.push_back({key, Chance(30) ? wrapped(std::move(inside)) : std::move(inside)});
}

// Another text of about the same number.
std::string RandomPatterns::Respelled(const std::string& number) {
  const size_t exponent = std::min(number.find_first_of("eE"), number.size());
  const std::string mantissa = number.substr(0, exponent), rest = number.substr(exponent);
  switch (Below(4)) {
    case 0:
      return (mantissa.find('.') == std::string::npos ? mantissa + ".0" : mantissa + "0") + rest;
    case 1:
      return rest.empty() ? mantissa + "e0" : number;
    case 2:
      return mantissa + (mantissa.find('.') == std::string::npos ? ".1" : "1") + rest;
    default:
      return number.starts_with('-') ? number.substr(1) : "-" + number;
  }
}

// Makes two objects of an array's element or repeated name, so that what was together is apart.
// False if there is nothing to split.
bool RandomPatterns::SplitObject(const std::vector<JsonSpot>& spots) {
  std::vector<JsonSpot> objects;
  for (const JsonSpot& spot : spots) {
    const JsonTree& value = spot.value();
    if (value.kind == JsonTree::Kind::kObject && value.children.size() > 1) objects.push_back(spot);
  }
  if (objects.empty()) return false;
  const JsonSpot spot = OneOf(objects);
  JsonTree second = JsonTree::Object();
  std::vector<JsonTree::Member>& children = spot.value().children;
  const size_t moved = Below(children.size());
  second.children.push_back(std::move(children[moved]));
  children.erase(children.begin() + static_cast<ptrdiff_t>(moved));
  if (spot.parent->kind == JsonTree::Kind::kArray || Chance(30)) {
    // Beside it: an element more, or the same name again.
    spot.parent->children.push_back({spot.member().name, std::move(second)});
  } else {
    JsonTree array = JsonTree::Array();
    array.children.push_back({"", std::move(spot.value())});
    array.children.push_back({"", std::move(second)});
    spot.value() = std::move(array);
  }
  return true;
}

// One small change.
void RandomPatterns::Mutate(JsonTree* root) {
  std::vector<JsonSpot> spots;
  CollectSpots(root, &spots);
  if (spots.empty() || Chance(5)) {
    root->children.push_back({AnySegment(), Decoy()});
    return;
  }
  const JsonSpot spot = OneOf(spots);
  JsonTree& value = spot.value();
  if (Chance(20) && SplitObject(spots)) return;
  switch (Below(12)) {
    case 0:
      value = AnyScalar();
      break;
    case 1:
      spot.parent->children.erase(spot.parent->children.begin() +
                                  static_cast<ptrdiff_t>(spot.index));
      break;
    case 2: {  // a repeated name, or one more element
      JsonTree::Member copy = spot.member();
      if (Chance(50)) copy.value = Decoy();
      const size_t at = Below(spot.parent->children.size() + 1);
      spot.parent->children.insert(spot.parent->children.begin() + static_cast<ptrdiff_t>(at),
                                   std::move(copy));
      break;
    }
    case 3:
      spot.member().name = AnySegment();
      break;
    case 4: {
      JsonTree array = JsonTree::Array();
      if (Chance(50)) array.children.push_back({"", Decoy()});
      array.children.push_back({"", std::move(value)});
      if (Chance(30)) array.children.push_back({"", Decoy()});
      value = std::move(array);
      break;
    }
    case 5:
      value = Chance(50) ? JsonTree::Array() : JsonTree::Object();
      break;
    case 6:
      std::shuffle(spot.parent->children.begin(), spot.parent->children.end(), random_);
      break;
    case 7:
    case 8: {  // a neighbour of the value
      if (value.kind == JsonTree::Kind::kString) {
        if (Chance(30)) {
          value.text += Chance(50) ? "a" : "\"";
        } else if (Chance(50) && !value.text.empty()) {
          const std::vector<size_t> cuts = Cuts(value.text);
          value.text.resize(cuts[cuts.size() - 2]);
        } else {
          for (char& c : value.text) {
            const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
            if (is_letter && Chance(50)) c = static_cast<char>(c ^ 0x20);
          }
        }
      } else if (value.kind == JsonTree::Kind::kOther && value.text.size() > 0 &&
                 value.text.find_first_of("tfnu") == std::string::npos) {
        value.text = Respelled(value.text);
      }
      break;
    }
    case 9: {  // {"a": {"b": x}} and {"a.b": x} are the same
      if (spot.parent->kind != JsonTree::Kind::kObject) break;
      if (value.kind == JsonTree::Kind::kObject && value.children.size() == 1) {
        JsonTree::Member inner = std::move(value.children.front());
        spot.member() = {spot.member().name + "." + inner.name, std::move(inner.value)};
      } else if (const size_t dot = spot.member().name.find('.'); dot != std::string::npos) {
        JsonTree object = JsonTree::Object();
        object.children.push_back({spot.member().name.substr(dot + 1), std::move(value)});
        spot.member() = {spot.member().name.substr(0, dot), std::move(object)};
      }
      break;
    }
    case 10:  // one more field, also of a path that somebody wants absent
      Place(root, OneOf(paths_), AnyScalar());
      break;
    default: {
      const size_t at = Below(spot.parent->children.size() + 1);
      spot.parent->children.insert(spot.parent->children.begin() + static_cast<ptrdiff_t>(at),
                                   {Chance(70) ? "zz" : AnySegment(), Noise()});
      break;
    }
  }
}

std::string RandomPatterns::Event(absl::Span<const CompiledPattern* const> near) {
  JsonTree root = JsonTree::Object();
  if (Chance(25)) root.children.push_back({"noise", Noise()});
  for (size_t i = 0, count = near.empty() ? 0 : 1 + Below(3); i < count; ++i) {
    for (const Wish& wish : Wishes(*near[Below(near.size())])) {
      Place(&root, wish.path, TreeOf(wish.value));
    }
  }
  if (near.empty() || Chance(10)) Place(&root, OneOf(paths_), AnyScalar());
  if (Chance(20)) root.children.push_back({"more noise", Noise()});
  if (Chance(20)) std::shuffle(root.children.begin(), root.children.end(), random_);
  if (Chance(50)) {
    for (size_t i = 0, count = 1 + Below(3); i < count; ++i) Mutate(&root);
  }
  Spelling spelling;
  if (Chance(30)) spelling.space_percent = Chance(80) ? 10 : 60;
  if (Chance(30)) spelling.escape_percent = Chance(70) ? 5 : 60;
  std::string text;
  WriteSpace(spelling, &text);
  Write(root, spelling, &text);
  if (Chance(7)) text = Broken(std::move(text));
  if (Chance(5)) text += std::vector<std::string>{" ", "\n{}", "x", "}", ",\"a\":1}"}[Below(5)];
  return text;
}

// Bytes that make a text something else, or nothing.
std::string RandomPatterns::Broken(std::string text) {
  const std::vector<std::string> bytes = {"{",  "}", "[",    "]",    "\"", ",",   ":",
                                          "\\", " ", "\x01", "\xff", "0",  "e",   "-",
                                          ".",  "t", "\xc3", "\0"s,  "\n", "null"};
  const size_t at = Below(text.size() + 1);
  switch (Below(5)) {
    case 0:
      return text.substr(0, at);
    case 1:
      return text.insert(at, OneOf(bytes));
    case 2:
      return at == text.size() ? text : text.replace(at, 1, OneOf(bytes));
    case 3:
      return at == text.size() ? text : text.erase(at, 1);
    default:
      return OneOf(std::vector<std::string>{"", "null", "[]", "\"{}\"", "\xef\xbb\xbf" + text,
                                            "[" + text + "]", "x" + text});
  }
}

Attributes RandomPatterns::Message(absl::Span<const CompiledPattern* const> near) {
  const char* suffixes[] = {"", "", "", "", ".x", ".int"};
  const char* broken_arrays[] = {
      "",        "[",           "[\"a\"", "{\"a\":1}", "\"a\"",       "[1] x",         "[1,]",
      "[] ",     " [1]",        "null",   "[[1]]",     "[{\"b\":1}]", "[\"\\ud800\"]", "[\"\xff\"]",
      "[[],{}]", "[1e400,null]"};
  const auto attribute = [&](const Value& value) -> AttributeValue {
    const std::string suffix = suffixes[Below(std::size(suffixes))];
    if (value.kind == ValueKind::kString && Chance(70)) return {"String" + suffix, value.text};
    if (value.kind == ValueKind::kNumber && Chance(70)) return {"Number" + suffix, value.text};
    JsonTree array = JsonTree::Array();
    if (Chance(50)) array.children.push_back({"", Chance(70) ? AnyScalar() : Decoy()});
    array.children.push_back({"", TreeOf(value)});
    if (Chance(50)) array.children.push_back({"", AnyScalar()});
    std::string text;
    Write(array, {.space_percent = 5, .escape_percent = Chance(20) ? 40u : 0u}, &text);
    return {"String.Array" + suffix, text};
  };
  Attributes message;
  for (size_t i = 0, count = near.empty() ? 0 : 1 + Below(3); i < count; ++i) {
    for (const Wish& wish : Wishes(*near[Below(near.size())])) {
      message.Set(wish.path, attribute(wish.value));
    }
  }
  for (size_t i = 0, count = Chance(60) ? 0 : Below(4); i < count; ++i) {
    const std::string name = Chance(80) ? OneOf(paths_) : AnySegment();
    switch (Below(6)) {
      case 0:
        message.Set(name, AttributeValue::Binary(OneOf(strings_)));
        break;
      case 1:
        message.Set(name,
                    AttributeValue("String.Array", broken_arrays[Below(std::size(broken_arrays))]));
        break;
      case 2:  // a Number that is none
        message.Set(name, AttributeValue::Number(OneOf(strings_)));
        break;
      case 3:
        message.Set(
            name,
            AttributeValue(OneOf(std::vector<std::string>{"", "Number.Array", "string", "Stringy",
                                                          "String.Arrays", "Binary.x", "."}),
                           OneOf(strings_)));
        break;
      default:
        message.Set(name, attribute(AnyValue()));
        break;
    }
  }
  return message;
}

// ---- Writing.

void RandomPatterns::WriteSpace(const Spelling& spelling, std::string* out) {
  while (Chance(spelling.space_percent)) *out += " \t\r\n"[Below(4)];
}

void RandomPatterns::Write(const JsonTree& tree, const Spelling& spelling, std::string* out) {
  if (tree.kind == JsonTree::Kind::kOther) {
    *out += tree.text;
    return;
  }
  if (tree.kind == JsonTree::Kind::kString) {
    WriteString(tree.text, spelling, out);
    return;
  }
  const bool is_object = tree.kind == JsonTree::Kind::kObject;
  *out += is_object ? '{' : '[';
  WriteSpace(spelling, out);
  for (size_t i = 0; i < tree.children.size(); ++i) {
    if (i > 0) {
      *out += ',';
      WriteSpace(spelling, out);
    }
    if (is_object) {
      WriteString(tree.children[i].name, spelling, out);
      WriteSpace(spelling, out);
      *out += ':';
      WriteSpace(spelling, out);
    }
    Write(tree.children[i].value, spelling, out);
    WriteSpace(spelling, out);
  }
  *out += is_object ? '}' : ']';
}

void RandomPatterns::WriteString(std::string_view text, const Spelling& spelling,
                                 std::string* out) {
  if (spelling.escape_percent == 0) {
    AppendJsonString(out, text);
    return;
  }
  const auto unit = [this, out](unsigned value) {
    const char* digits = Chance(50) ? "0123456789abcdef" : "0123456789ABCDEF";
    *out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) *out += digits[(value >> shift) & 0xF];
  };
  *out += '"';
  const std::vector<size_t> cuts = Cuts(text);
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    const std::string_view character = text.substr(cuts[i], cuts[i + 1] - cuts[i]);
    if (!Chance(spelling.escape_percent)) {
      const std::string quoted = JsonString(character);
      out->append(quoted, 1, quoted.size() - 2);
      continue;
    }
    const std::string_view short_escapes = "\"\\/\b\f\n\r\t", letters = "\"\\/bfnrt";
    const size_t place = short_escapes.find(character);
    if (place != std::string_view::npos && character.size() == 1 && Chance(50)) {
      *out += '\\';
      *out += letters[place];
      continue;
    }
    std::string_view rest = character;
    auto point = static_cast<unsigned>(TakeUtf8(&rest));
    if (point >= 0x10000) {
      unit(0xD800 + ((point - 0x10000) >> 10));
      point = 0xDC00 + ((point - 0x10000) & 0x3FF);
    }
    unit(point);
  }
  *out += '"';
}

}  // namespace banyan::inline v0_1::internal
