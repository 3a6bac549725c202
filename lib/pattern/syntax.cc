// SPDX-License-Identifier: Apache-2.0
#include "pattern/syntax.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/json.h"
#include "base/strings.h"
#include "message/errors.h"
#include "pattern/ip.h"
#include "pattern/number.h"

namespace banyan::inline v0_1::internal {
namespace {

// Names that cannot be keys inside "$or": the operators, the comparison signs, and words the
// service keeps for itself.
constexpr std::string_view kReservedInsideOr[] = {
    // clang-format off
    "exactly", "prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "exists",
    "cidr", "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case", "date-after",
    "date-on-or-after", "date-before", "date-on-or-before", "in-date-range", "ip-address-in-range",
    "ip-address-not-in-range",
    // clang-format on
};

constexpr std::string_view kOneKeyOnly = "Only one key allowed in match expression";
constexpr std::string_view kTooManyElements = "Too many elements in numeric expression";
constexpr std::string_view kNotAnythingBut =
    "Value of anything-but must be an array or single string/number value.";
constexpr std::string_view kMixedList =
    "Inside anything but list, either all values are number or string, mixed type is not supported";
constexpr std::string_view kBadListMember =
    "Inside anything but list, start|null|boolean is not supported.";

std::string PositionText(std::string_view source, size_t line, size_t column) {
  return StrCat("[Source: (String)\"", source, "\"; line: ", line, ", column: ", column, "]");
}

// Recursive descent over the reader's tokens. Every method reads what its name says, starting with
// the token that is current when it is called, and leaves the last token of it current. False:
// error_ is set, stop.
class Parser {
 public:
  Parser(std::string_view source, PatternLanguage language, const Limits& limits, OrKey or_key)
      : source_(source),
        reader_(source, static_cast<size_t>(limits.pattern.depth_max)),
        language_(language),
        or_key_(or_key) {}

  SyntaxResult Parse() {
    SyntaxResult result;
    Next();
    const bool is_object =
        reader_.token() == JsonToken::kStartObject || Fail("Filter is not an object");
    if (is_object && Object(&result.tree, /*depth=*/1, /*inside_or=*/false)) {
      BANYAN_CHECK(error_ == nullptr, "a parse that succeeds has no error");
    }
    result.error = std::move(error_);
    result.saw_or = saw_or_;
    return result;
  }

 private:
  // ---- Structure.

  bool Object(ObjectSyntax* object, size_t depth, bool inside_or) {
    object->begin = reader_.begin();
    while (Next() == JsonToken::kName) {
      MemberSyntax& member = object->members.emplace_back();
      member.name = std::string(Text());
      member.begin = reader_.begin();
      saw_or_ = saw_or_ || member.name == "$or";
      if (member.name == "$or" && or_key_ == OrKey::kRelation) {
        if (!Or(&member, depth)) return false;
        continue;
      }
      if (inside_or && IsReserved(member.name)) {
        return Fail(
            StrCat(member.name, " is Ruler reserved fieldName which cannot be used inside $or."));
      }
      switch (Next()) {
        case JsonToken::kStartObject:
          member.object = std::make_unique<ObjectSyntax>();
          if (!Object(member.object.get(), depth + 1, inside_or)) return false;
          break;
        case JsonToken::kStartArray:
          if (!Leaf(&member, depth)) return false;
          break;
        default:
          return Fail(StrCat("\"", member.name, "\" must be an object or an array"));
      }
    }
    if (reader_.token() != JsonToken::kEndObject) return Fail("");  // a syntax error
    return !object->members.empty() || Fail("Empty objects are not allowed");
  }

  bool Or(MemberSyntax* member, size_t depth) {
    if (Next() != JsonToken::kStartArray) return Fail("It must be an Array followed with $or.");
    while (Next() != JsonToken::kEndArray) {
      if (reader_.token() != JsonToken::kStartObject) {
        return Fail("Only JSON object is allowed in array of $or relationship.");
      }
      if (!Object(&member->alternatives.emplace_back(), depth, /*inside_or=*/true)) return false;
    }
    return member->alternatives.size() >= 2 ||
           Fail("There must have at least 2 Objects in $or relationship.");
  }

  bool Leaf(MemberSyntax* member, size_t depth) {
    const size_t begin = reader_.begin();
    auto leaf = std::make_shared<LeafSyntax>();
    leaf->depth = depth;
    leaf->begin = begin;
    while (Next() != JsonToken::kEndArray) {
      switch (reader_.token()) {
        case JsonToken::kStartObject:
          if (!MatchExpression(&leaf->values)) return false;
          break;
        case JsonToken::kString: {
          const std::string text(Text());
          const std::optional<IpAddress> address = ParseIpAddress(text);
          leaf->values.push_back(address.has_value() ? TextTest(AddressTest{*address})
                                                     : TextTest(EqualTest{text}));
          break;
        }
        case JsonToken::kNumber: {
          const std::string text(Text());
          leaf->values.push_back(NumberEqual{.text = text, .value = ComparableNumber(text)});
          break;
        }
        case JsonToken::kTrue:
          leaf->values.push_back(Literal{ValueKind::kTrue});
          break;
        case JsonToken::kFalse:
          leaf->values.push_back(Literal{ValueKind::kFalse});
          break;
        case JsonToken::kNull:
          leaf->values.push_back(Literal{ValueKind::kNull});
          break;
        default:
          return Fail("Match value must be String, number, true, false, or null");
      }
    }
    if (leaf->values.empty()) return Fail("Empty arrays are not allowed");
    CompactJson(source_.substr(begin, reader_.end() - begin), &leaf->text);
    member->leaf = std::move(leaf);
    return true;
  }

  // ---- {"operator": argument}

  bool MatchExpression(std::vector<ValuePattern>* out) {
    if (Next() != JsonToken::kName) return Fail("Match expression name not found");
    const std::string name(Text());
    if (name == "prefix") return Affix<PrefixTest, PrefixIgnoringCaseTest>(name, "Prefix", out);
    if (name == "suffix") return Affix<SuffixTest, SuffixIgnoringCaseTest>(name, "Suffix", out);
    if (name == "equals-ignore-case") return EqualsIgnoreCase(out) && EndMatch();
    if (name == "wildcard" && !is_sns()) return WildcardMatch(out);
    if (name == "exactly" && !is_sns()) return Exactly(out);
    if (name == "numeric") return Numeric(out);
    if (name == "anything-but") return AnythingBut(out);
    if (name == "exists") return Exists(out);
    if (name == "cidr") return Cidr(out);
    return Fail(StrCat("Unrecognized match type ", name));
  }

  bool EndMatch(std::string_view complaint = kOneKeyOnly) {
    return Next() == JsonToken::kEndObject || Fail(complaint);
  }

  bool Exactly(std::vector<ValuePattern>* out) {
    if (Next() != JsonToken::kString) return Fail("exact match pattern must be a string");
    out->push_back(TextTest(EqualTest{std::string(Text())}));
    return EndMatch();
  }

  // prefix and suffix: a string, or {"equals-ignore-case": a string}.
  template <typename Test, typename IgnoringCaseTest>
  bool Affix(const std::string& name, std::string_view capitalized,
             std::vector<ValuePattern>* out) {
    const JsonToken token = Next();
    if (token == JsonToken::kStartObject && !is_sns()) {
      if (Next() != JsonToken::kName)
        return Fail(StrCat(capitalized, " expression name not found"));
      const std::string nested(Text());
      if (nested != "equals-ignore-case") {
        return Fail(StrCat("Unsupported ", name, " pattern: ", nested));
      }
      if (Next() != JsonToken::kString) {
        return Fail("equals-ignore-case match pattern must be a string");
      }
      out->push_back(TextTest(IgnoringCaseTest{FoldedText(Text())}));
      return EndMatch() && EndMatch();
    }
    if (token != JsonToken::kString) return Fail(StrCat(name, " match pattern must be a string"));
    out->push_back(TextTest(Test{std::string(Text())}));
    return EndMatch();
  }

  bool EqualsIgnoreCase(std::vector<ValuePattern>* out) {
    if (Next() != JsonToken::kString) {
      return Fail("equals-ignore-case match pattern must be a string");
    }
    out->push_back(TextTest(EqualIgnoringCaseTest{FoldedText(Text())}));
    return true;
  }

  bool WildcardMatch(std::vector<ValuePattern>* out) {
    if (Next() != JsonToken::kString) return Fail("wildcard match pattern must be a string");
    std::optional<TextTest> test = ReadWildcard();
    if (!test.has_value()) return false;
    out->push_back(*std::move(test));
    return EndMatch();
  }

  std::optional<TextTest> ReadWildcard() {
    std::string complaint;
    std::optional<Wildcard> wildcard = Wildcard::Parse(Text(), &complaint);
    if (!wildcard.has_value()) {
      Fail(complaint);
      return std::nullopt;
    }
    return WildcardTest{*std::move(wildcard)};
  }

  bool Exists(std::vector<ValuePattern>* out) {
    const JsonToken token = Next();
    if (token != JsonToken::kTrue && token != JsonToken::kFalse) {
      return Fail("exists match pattern must be either true or false.");
    }
    if (token == JsonToken::kTrue) {
      out->push_back(Present{});
    } else {
      out->push_back(Absent{});
    }
    return EndMatch();
  }

  bool Cidr(std::vector<ValuePattern>* out) {
    // The service says "prefix" here, too.
    if (Next() != JsonToken::kString) return Fail("prefix match pattern must be a string");
    std::string complaint;
    const std::optional<IpBlock> block = IpBlock::Parse(Text(), &complaint);
    if (!block.has_value()) return FailUnplaced(complaint);
    out->push_back(TextTest(BlockTest{*block}));
    return EndMatch();
  }

  // ---- {"numeric": [...]}

  bool Numeric(std::vector<ValuePattern>* out) {
    if (Next() != JsonToken::kStartArray) return Fail("Value of numeric must be an array.");
    if (Next() != JsonToken::kString) {
      return Fail(StrCat("Invalid member in numeric match: ", Text()));
    }
    const std::string sign(Text());
    NumberRange range;
    bool may_continue = false;
    double value = 0;
    if (sign == "=") {
      if (!Bound("equals", &value)) return false;
      range = {.low = value, .high = value, .low_included = true, .high_included = true};
    } else if (sign == ">" || sign == ">=") {
      if (!Bound(sign, &value)) return false;
      range.low = value;
      range.low_included = sign == ">=";
      may_continue = true;
    } else if (sign == "<" || sign == "<=") {
      if (!Bound(sign, &value)) return false;
      range.high = value;
      range.high_included = sign == "<=";
    } else {
      return Fail(StrCat("Unrecognized numeric range operator: ", sign));
    }
    if (Next() != JsonToken::kEndArray) {
      if (!may_continue) return Fail(kTooManyElements);
      if (!UpperBound(&range)) return false;
    }
    out->push_back(range);
    return EndMatch(kTooManyElements);
  }

  // The high end of a range. The token behind the low bound is current.
  bool UpperBound(NumberRange* range) {
    if (reader_.token() != JsonToken::kString) {
      return Fail(StrCat("Bad value in numeric range: ", Text()));
    }
    const std::string sign(Text());
    double value = 0;
    if (!Bound(sign, &value)) return false;
    if (Next() != JsonToken::kEndArray) return Fail("Too many terms in numeric range expression");
    if (sign != "<" && sign != "<=") return Fail(StrCat("Bad numeric range operator: ", sign));
    if (*range->low >= value) return Fail("Bottom must be less than top");
    range->high = value;
    range->high_included = sign == "<=";
    return true;
  }

  bool Bound(std::string_view sign, double* value) {
    if (Next() != JsonToken::kNumber) return Fail(StrCat("Value of ", sign, " must be numeric"));
    return Comparable(value);
  }

  bool Comparable(double* value) {
    const std::string_view text = Text();
    const std::optional<double> number = ComparableNumber(text);
    if (!number.has_value()) return Fail(StrCat("Cannot compare number : ", text));
    *value = *number;
    return true;
  }

  // ---- {"anything-but": ...}

  bool AnythingBut(std::vector<ValuePattern>* out) {
    if (Next() == JsonToken::kStartObject) {
      if (Next() != JsonToken::kName) return Fail("Anything-But expression name not found");
      const std::string name(Text());
      const bool known =
          name == "prefix" ||
          (!is_sns() && (name == "suffix" || name == "wildcard" || name == "equals-ignore-case"));
      if (!known) return Fail(StrCat("Unsupported anything-but pattern: ", name));
      AnythingButText listed;
      Next();
      if (!AnythingButTests(name, &listed.tests)) return false;
      out->push_back(std::move(listed));
      return EndMatch(kTooManyElements) && EndMatch(kTooManyElements);
    }
    return AnythingButValues(out) && EndMatch(kTooManyElements);
  }

  // A string, a number, or a list of one of these kinds.
  bool AnythingButValues(std::vector<ValuePattern>* out) {
    AnythingButText texts;
    AnythingButNumber numbers;
    const auto add = [&](std::string_view complaint) {
      if (reader_.token() == JsonToken::kString) {
        texts.tests.push_back(EqualTest{std::string(Text())});
        return true;
      }
      if (reader_.token() != JsonToken::kNumber) return Fail(complaint);
      return Comparable(&numbers.numbers.emplace_back());
    };
    if (reader_.token() != JsonToken::kStartArray) {
      if (!add(kNotAnythingBut)) return false;
    } else {
      while (Next() != JsonToken::kEndArray) {
        if (!add(kBadListMember)) return false;
      }
      if (texts.tests.empty() == numbers.numbers.empty()) return Fail(kMixedList);
    }
    std::sort(numbers.numbers.begin(), numbers.numbers.end());
    std::sort(texts.tests.begin(), texts.tests.end(), [](const TextTest& a, const TextTest& b) {
      return std::get<EqualTest>(a).text < std::get<EqualTest>(b).text;
    });
    if (texts.tests.empty()) {
      out->push_back(std::move(numbers));
    } else {
      out->push_back(std::move(texts));
    }
    return true;
  }

  // The argument of an operator below anything-but: a string, or a list of strings.
  bool AnythingButTests(const std::string& name, std::vector<TextTest>* tests) {
    if (is_sns()) {
      // One string, no list: this service's engine is the older one, and so is its complaint.
      if (reader_.token() != JsonToken::kString)
        return Fail("prefix match pattern must be a string");
      return AnythingButTest(name, tests);
    }
    if (reader_.token() == JsonToken::kString || reader_.token() == JsonToken::kNumber) {
      return AnythingButTest(name, tests);
    }
    if (reader_.token() != JsonToken::kStartArray) return Fail(kNotAnythingBut);
    while (Next() != JsonToken::kEndArray) {
      if (!AnythingButTest(name, tests)) return false;
    }
    return !tests->empty() || Fail(kMixedList);
  }

  bool AnythingButTest(const std::string& name, std::vector<TextTest>* tests) {
    const bool is_string = reader_.token() == JsonToken::kString;
    if (name == "equals-ignore-case") {
      if (!is_string) {
        return Fail(
            "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not "
            "supported.");
      }
      tests->push_back(EqualIgnoringCaseTest{FoldedText(Text())});
      return true;
    }
    if (name == "wildcard") {
      if (!is_string) return Fail("wildcard match pattern must be a string");
      std::optional<TextTest> test = ReadWildcard();
      if (!test.has_value()) return false;
      tests->push_back(*std::move(test));
      return true;
    }
    if (!is_string) {
      return Fail(reader_.token() == JsonToken::kNumber
                      ? "prefix/suffix match pattern must be a string"
                      : kBadListMember);
    }
    const std::string text(Text());
    if (text.empty()) return Fail("Null prefix/suffix not allowed");
    if (name == "prefix") {
      tests->push_back(PrefixTest{text});
    } else {
      tests->push_back(SuffixTest{text});
    }
    return true;
  }

  // ---- Tokens and errors.

  JsonToken Next() {
    string_was_read_ = false;
    return reader_.Next();
  }

  std::string_view Text() {
    string_was_read_ = true;
    return reader_.text();
  }

  // Where the service's reader stands, see S2.
  size_t Stands() const {
    if (reader_.token() == JsonToken::kString && !string_was_read_) return reader_.begin() + 1;
    if (reader_.token() != JsonToken::kName) return reader_.end();
    const size_t next = reader_.position();
    if (next >= source_.size()) return next;
    if (std::string_view("\"{[").find(source_[next]) != std::string_view::npos) return next + 1;
    return std::min(source_.find_first_of(",]} \t\r\n", next), source_.size());
  }

  // Sets the error unless there is one. A syntax error at the current token goes before `reason`.
  // Always false, so that callers can return it.
  bool Fail(std::string_view reason) {
    if (reader_.token() == JsonToken::kError) {
      return SetError(PatternError::Kind::kSyntax, reader_.ErrorText([this](size_t offset) {
        const TextPosition at = PositionAt(source_, offset);
        return PositionText(source_, at.line, at.column);
      }),
                      reader_.error_offset());
    }
    return SetError(PatternError::Kind::kMeaning, std::string(reason), Stands());
  }

  bool FailUnplaced(std::string reason) {
    return SetError(PatternError::Kind::kUnplaced, std::move(reason), 0);
  }

  bool SetError(PatternError::Kind kind, std::string reason, size_t offset) {
    if (error_ != nullptr) return false;
    error_ = std::make_unique<PatternError>();
    error_->kind = kind;
    error_->reason = std::move(reason);
    if (kind == PatternError::Kind::kUnplaced) return false;
    const TextPosition at = PositionAt(source_, offset);
    error_->offset = offset;
    error_->line = at.line;
    error_->column = at.column;
    return false;
  }

  static bool IsReserved(std::string_view name) {
    return std::find(std::begin(kReservedInsideOr), std::end(kReservedInsideOr), name) !=
           std::end(kReservedInsideOr);
  }

  bool is_sns() const { return language_ != PatternLanguage::kEventBridge; }

  const std::string_view source_;
  JsonReader reader_;
  const PatternLanguage language_;
  const OrKey or_key_;
  bool string_was_read_ = false;
  bool saw_or_ = false;
  std::unique_ptr<PatternError> error_;
};

std::string WithPosition(const PatternError& error, std::string_view pattern) {
  if (error.line == 0) return error.reason;
  return StrCat(error.reason, "\n at ", PositionText(pattern, error.line, error.column));
}

}  // namespace

absl::Status EventBridgeStatus(const PatternError& error, std::string_view pattern) {
  return Error(AwsError::kBusInvalidEventPattern,
               "Event pattern is not valid. Reason: ", WithPosition(error, pattern));
}

std::string FilterPolicyText(const PatternError& error, std::string_view pattern) {
  if (error.kind == PatternError::Kind::kScope) return error.reason;
  return StrCat(
      "FilterPolicy: ", error.kind == PatternError::Kind::kSyntax ? "failed to parse JSON. " : "",
      WithPosition(error, pattern));
}

absl::Status PatternStatus(const PatternError& error, std::string_view pattern,
                           PatternLanguage language) {
  if (language == PatternLanguage::kEventBridge) return EventBridgeStatus(error, pattern);
  return Error(AwsError::kTopicInvalidParameter,
               "Invalid parameter: ", FilterPolicyText(error, pattern));
}

SyntaxResult ParsePattern(std::string_view text, PatternLanguage language, const Limits& limits,
                          OrKey or_key) {
  return Parser(text, language, limits, or_key).Parse();
}

}  // namespace banyan::inline v0_1::internal
