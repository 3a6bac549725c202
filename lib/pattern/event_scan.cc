// SPDX-License-Identifier: Apache-2.0
#include "pattern/event_scan.h"

#include <optional>
#include <utility>

#include "base/check.h"
#include "base/json.h"
#include "base/strings.h"
#include "pattern/number.h"

namespace banyan::inline v0_1::internal {

bool FoundValue::ReadNumber() {
  if (number_state == NumberState::kUnread) {
    size_t size = 0;
    const std::optional<double> nearest = NearestDouble(text, &size);
    number_state = nearest.has_value() ? NumberState::kNearest : NumberState::kNone;
    number = nearest.value_or(0);
  }
  return number_state != NumberState::kNone;
}

bool FoundValue::Comparable() {
  if (!ReadNumber()) return false;
  if (number_state == NumberState::kNearest) {
    number_state =
        IsComparable(text, number) ? NumberState::kComparable : NumberState::kIncomparable;
  }
  return number_state == NumberState::kComparable;
}

void ScannedEvent::Clear() {
  values_.clear();
  ranges_hit_.clear();
  elements_.elements.resize(1);
  elements_.array_count = 0;
  texts_used_ = 0;
  if (++stamp_ == 0) {
    paths_.clear();
    stamp_ = 1;
  }
}

void ScannedEvent::GiveBack() {
  Clear();
  Free(&values_);
  Free(&ranges_hit_);
  Free(&elements_);
  Free(&texts_);
}

std::string& ScannedEvent::NewText() {
  if (texts_used_ == texts_.size()) texts_.emplace_back();
  return texts_[texts_used_++];
}

std::string_view ScannedEvent::Decoded(std::string_view quoted) {
  JsonReader reader(quoted);
  BANYAN_CHECK(reader.Next() == JsonToken::kString, "N1: a checked string reads as one");
  return NewText().assign(reader.text());
}

}  // namespace banyan::inline v0_1::internal
