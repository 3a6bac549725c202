// SPDX-License-Identifier: Apache-2.0
#include "banyan/attributes.h"

#include <algorithm>

#include "base/strings.h"

namespace banyan::inline v0_1 {

namespace {
struct NameBefore {
  bool operator()(const Attributes::Entry& entry, std::string_view name) const {
    return entry.first < name;
  }
};
}  // namespace

AttributeValue AttributeValue::Number(int64_t number) {
  return {"Number", internal::StrCat(number)};
}

std::string_view AttributeValue::base_type() const {
  constexpr std::string_view kArray = "String.Array";
  const std::string_view text = type;
  if (text.starts_with(kArray) && (text.size() == kArray.size() || text[kArray.size()] == '.')) {
    return kArray;
  }
  return text.substr(0, text.find('.'));
}

Attributes::Attributes(std::initializer_list<Entry> entries) {
  for (const Entry& entry : entries) Set(entry.first, entry.second);
}

Attributes& Attributes::Set(std::string_view name, AttributeValue value) {
  auto at = std::lower_bound(entries_.begin(), entries_.end(), name, NameBefore());
  if (at != entries_.end() && at->first == name) {
    at->second = std::move(value);
  } else {
    entries_.emplace(at, std::string(name), std::move(value));
  }
  return *this;
}

const AttributeValue* Attributes::Find(std::string_view name) const {
  auto at = std::lower_bound(entries_.begin(), entries_.end(), name, NameBefore());
  return at != entries_.end() && at->first == name ? &at->second : nullptr;
}

size_t Attributes::bytes() const {
  size_t sum = 0;
  for (const auto& [name, value] : entries_) {
    sum += name.size() + value.type.size() + value.value.size();
  }
  return sum;
}

}  // namespace banyan::inline v0_1
