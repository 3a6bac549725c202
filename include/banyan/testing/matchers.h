// SPDX-License-Identifier: Apache-2.0
//
// GoogleTest matchers for what Banyan answers. A failure says what was there instead.
//
//   ASSERT_THAT(queue.Send({.body = "resize"}), IsOk());
//   EXPECT_THAT(queue.Receive(), IsOkAndHolds(ElementsAre(BodyIs("resize"))));
//   EXPECT_THAT(queue.Receive({.max_messages = 11}),
//               StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("MaxNumberOfMessages")));
//   EXPECT_THAT(received, AllOf(JsonBodyIs(R"({"id": 7})"), HasAttribute("tenant", "blue")));
//
// The matchers take values of any type that has what they ask about: status matchers an
// absl::Status or absl::StatusOr<T>; BodyIs and JsonBodyIs what has body() or a member `body`;
// HasAttribute what has attributes() or a member `attributes`.
//
// Threads   As GoogleTest's own matchers: a value may be used by several threads.
#ifndef BANYAN_TESTING_MATCHERS_H_
#define BANYAN_TESTING_MATCHERS_H_

#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/attributes.h"
#include "banyan/testing/printers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1::testing {

namespace internal {

// The status matchers explain only what GoogleTest does not print as the value: printers.h writes
// a status, or the value in its place.

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

template <typename Body>
std::string BodyText(const Body& body) {
  if constexpr (requires { body.view(); }) {
    return std::string(body.view());
  } else {
    return std::string(body);
  }
}

template <typename Message>
std::string BodyOf(const Message& message) {
  if constexpr (requires { message.body(); }) {
    return BodyText(message.body());
  } else {
    return BodyText(message.body);
  }
}

template <typename Message>
const Attributes& AttributesOf(const Message& message) {
  if constexpr (requires { message.attributes(); }) {
    return message.attributes();
  } else {
    return message.attributes;
  }
}

class IsOkMatcher {
 public:
  template <typename T>
  bool MatchAndExplain(const T& value, ::testing::MatchResultListener*) const {
    return StatusOf(value).ok();
  }
  void DescribeTo(std::ostream* os) const { *os << "is OK"; }
  void DescribeNegationTo(std::ostream* os) const { *os << "is not OK"; }
};

class StatusIsMatcher {
 public:
  StatusIsMatcher(::testing::Matcher<absl::StatusCode> code,
                  ::testing::Matcher<std::string> message)
      : code_(std::move(code)), message_(std::move(message)) {}

  template <typename T>
  bool MatchAndExplain(const T& value, ::testing::MatchResultListener* listener) const {
    const absl::Status& status = StatusOf(value);
    if (!code_.Matches(status.code())) return false;
    const std::string message(status.message().data(), status.message().size());
    ::testing::StringMatchResultListener why;
    const bool matches = message_.MatchAndExplain(message, &why);
    if (!why.str().empty()) *listener << "whose message " << why.str();
    return matches;
  }
  void DescribeTo(std::ostream* os) const {
    *os << "has a status code that ";
    code_.DescribeTo(os);
    *os << " and a message that ";
    message_.DescribeTo(os);
  }
  void DescribeNegationTo(std::ostream* os) const {
    *os << "does not have this: ";
    DescribeTo(os);
  }

 private:
  const ::testing::Matcher<absl::StatusCode> code_;
  const ::testing::Matcher<std::string> message_;
};

// A matcher of StatusOr<T> made from one of T, once T is known.
template <typename Inner>
class IsOkAndHoldsMatcher {
 public:
  explicit IsOkAndHoldsMatcher(Inner inner) : inner_(std::move(inner)) {}

  template <typename StatusOrT>
  operator ::testing::Matcher<StatusOrT>() const {  // NOLINT: implicit, as gMock wants it
    return ::testing::Matcher<StatusOrT>(new Impl<StatusOrT>(inner_));
  }

 private:
  template <typename StatusOrT>
  class Impl : public ::testing::MatcherInterface<StatusOrT> {
    using Value = typename std::remove_cvref_t<StatusOrT>::value_type;

   public:
    explicit Impl(const Inner& inner) : inner_(::testing::SafeMatcherCast<const Value&>(inner)) {}

    bool MatchAndExplain(StatusOrT value, ::testing::MatchResultListener* listener) const override {
      return value.ok() && inner_.MatchAndExplain(*value, listener);
    }
    void DescribeTo(std::ostream* os) const override {
      *os << "is OK and holds a value that ";
      inner_.DescribeTo(os);
    }
    void DescribeNegationTo(std::ostream* os) const override {
      *os << "is not OK or holds a value that ";
      inner_.DescribeNegationTo(os);
    }

   private:
    const ::testing::Matcher<const Value&> inner_;
  };

  const Inner inner_;
};

class BodyIsMatcher {
 public:
  explicit BodyIsMatcher(::testing::Matcher<std::string> body) : body_(std::move(body)) {}

  template <typename Message>
  bool MatchAndExplain(const Message& message, ::testing::MatchResultListener* listener) const {
    const std::string body = BodyOf(message);
    *listener << "whose body is " << ::testing::PrintToString(body);
    ::testing::StringMatchResultListener why;
    const bool matches = body_.MatchAndExplain(body, &why);
    if (!why.str().empty()) *listener << ", " << why.str();
    return matches;
  }
  void DescribeTo(std::ostream* os) const {
    *os << "has a body that ";
    body_.DescribeTo(os);
  }
  void DescribeNegationTo(std::ostream* os) const {
    *os << "has a body that ";
    body_.DescribeNegationTo(os);
  }

 private:
  const ::testing::Matcher<std::string> body_;
};

// Empty if the two texts are the same JSON value; else where and how they first differ, or what is
// wrong with a text that is not JSON.
std::string JsonDifference(std::string_view is, std::string_view wanted);

class JsonBodyIsMatcher {
 public:
  explicit JsonBodyIsMatcher(std::string wanted) : wanted_(std::move(wanted)) {}

  template <typename Message>
  bool MatchAndExplain(const Message& message, ::testing::MatchResultListener* listener) const {
    const std::string body = BodyOf(message);
    const std::string difference = JsonDifference(body, wanted_);
    *listener << "whose body is " << body;
    if (!difference.empty()) *listener << ", where " << difference;
    return difference.empty();
  }
  void DescribeTo(std::ostream* os) const { *os << "has a body that is the JSON " << wanted_; }
  void DescribeNegationTo(std::ostream* os) const {
    *os << "has a body that is not the JSON " << wanted_;
  }

 private:
  const std::string wanted_;
};

class HasAttributeMatcher {
 public:
  HasAttributeMatcher(std::string name, ::testing::Matcher<const AttributeValue&> value)
      : name_(std::move(name)), value_(std::move(value)) {}

  template <typename Message>
  bool MatchAndExplain(const Message& message, ::testing::MatchResultListener* listener) const {
    const Attributes& attributes = AttributesOf(message);
    *listener << "whose attributes are " << ::testing::PrintToString(attributes);
    const AttributeValue* const value = attributes.Find(name_);
    return value != nullptr && value_.Matches(*value);
  }
  void DescribeTo(std::ostream* os) const {
    *os << "has an attribute \"" << name_ << "\" that ";
    value_.DescribeTo(os);
  }
  void DescribeNegationTo(std::ostream* os) const {
    *os << "has no attribute \"" << name_ << "\" that ";
    value_.DescribeTo(os);
  }

 private:
  const std::string name_;
  const ::testing::Matcher<const AttributeValue&> value_;
};

}  // namespace internal

// An absl::Status or absl::StatusOr that is OK.
inline auto IsOk() { return ::testing::MakePolymorphicMatcher(internal::IsOkMatcher()); }

// An absl::StatusOr that is OK and holds a value that `inner`, a value or a matcher, matches.
template <typename Inner>
auto IsOkAndHolds(Inner&& inner) {
  return internal::IsOkAndHoldsMatcher<std::decay_t<Inner>>(std::forward<Inner>(inner));
}

// An absl::Status or absl::StatusOr with this code, and a message that matches.
inline auto StatusIs(::testing::Matcher<absl::StatusCode> code,
                     ::testing::Matcher<std::string> message = ::testing::A<std::string>()) {
  return ::testing::MakePolymorphicMatcher(
      internal::StatusIsMatcher(std::move(code), std::move(message)));
}

// A message with this body: a text or a matcher of std::string.
inline auto BodyIs(::testing::Matcher<std::string> body) {
  return ::testing::MakePolymorphicMatcher(internal::BodyIsMatcher(std::move(body)));
}

// A message whose body is this JSON value. White space, the order of an object's members and the
// spelling of numbers and strings do not matter (1.0 is 1, "\u0041" is "A"); of several members of
// one name the last counts.
inline auto JsonBodyIs(std::string_view json) {
  return ::testing::MakePolymorphicMatcher(internal::JsonBodyIsMatcher(std::string(json)));
}

// A message with an attribute of this name.
inline auto HasAttribute(std::string_view name) {
  return ::testing::MakePolymorphicMatcher(
      internal::HasAttributeMatcher(std::string(name), ::testing::A<const AttributeValue&>()));
}

// And this value: an AttributeValue (type and value are compared), or a text or matcher of
// std::string for the value alone.
template <typename Value>
auto HasAttribute(std::string_view name, const Value& value) {
  if constexpr (std::is_same_v<Value, AttributeValue>) {
    return ::testing::MakePolymorphicMatcher(internal::HasAttributeMatcher(
        std::string(name), ::testing::Matcher<const AttributeValue&>(::testing::Eq(value))));
  } else {
    return ::testing::MakePolymorphicMatcher(internal::HasAttributeMatcher(
        std::string(name),
        ::testing::Field("value", &AttributeValue::value, ::testing::Matcher<std::string>(value))));
  }
}

}  // namespace banyan::inline v0_1::testing

#endif  // BANYAN_TESTING_MATCHERS_H_
