// SPDX-License-Identifier: Apache-2.0
//
// Attributes: the named values that travel beside a message's body.
//
//   Attributes a = {{"tenant", "acme"}, {"price", AttributeValue::Number("12.50")}};
//
// A type is String, Number, Binary or String.Array, with an optional suffix after a dot that the
// broker carries and ignores ("Number.int").
//
// Threads   A value type: const methods from any number of threads.
// Errors    Building never fails; the verb that takes the attributes validates them and names the
//           attribute, its value and the rule.
// Source    docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
//           docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
#ifndef BANYAN_ATTRIBUTES_H_
#define BANYAN_ATTRIBUTES_H_

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/export.h"

namespace banyan::inline v0_1 {

struct BANYAN_EXPORT AttributeValue {
  std::string type = "String";  // with its suffix, as given
  std::string value;            // text; for Binary the raw bytes; for String.Array a JSON array

  AttributeValue() = default;
  AttributeValue(std::string_view text) : value(text) {}        // NOLINT: a String
  AttributeValue(const char* text) : value(text) {}             // NOLINT: a String
  AttributeValue(std::string text) : value(std::move(text)) {}  // NOLINT: a String
  AttributeValue(std::string_view type_name, std::string_view text)
      : type(type_name), value(text) {}

  static AttributeValue Number(std::string_view text) { return {"Number", text}; }
  static AttributeValue Number(int64_t number);
  static AttributeValue Binary(std::string_view bytes) { return {"Binary", bytes}; }
  static AttributeValue StringArray(std::string_view json) { return {"String.Array", json}; }

  // The type without a custom suffix: "String", "Number", "Binary", "String.Array"; or what stands
  // before the first dot if it is none of them.
  std::string_view base_type() const;

  friend bool operator==(const AttributeValue&, const AttributeValue&) = default;
};

// A small map, kept sorted by name. Most messages carry none or a few.
class BANYAN_EXPORT Attributes {
 public:
  using Entry = std::pair<std::string, AttributeValue>;

  Attributes() = default;
  Attributes(std::initializer_list<Entry> entries);  // of two equal names the last stays

  // Puts a value, in place of one of the same name.
  Attributes& Set(std::string_view name, AttributeValue value);

  // Null if there is none. Valid until the next Set().
  const AttributeValue* Find(std::string_view name) const;

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

  // Names, types and values together: what counts towards a message's size.
  size_t bytes() const;

  friend bool operator==(const Attributes&, const Attributes&) = default;

 private:
  std::vector<Entry> entries_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_ATTRIBUTES_H_
