// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/value_summary.cc -- floor 5: a histogram of buckets that grow by a factor.
//
//   index   ...  -k-1   -k   ...    0    ...   k     k+1   ...       in the order of the values
//   values      [-g^2, -g) [-g, -1)  0   (1, g]   (g, g^2]
//
// V1  With growth g = (1 + e) / (1 - e), a bucket (g^(i-1), g^i] is answered as 2 g^i / (g + 1), which
//     is at most e times a value away from every value in it.
// V2  One index for both signs: kMiddle more than the exponent i, with the value's sign. So the
//     buckets, sorted by index, are sorted by value.
// V3  At most 2 * kReach / ln g buckets. Beyond that the two of the smallest magnitude become one. The
//     buckets from a magnitude M down to M / e^kReach are half as many for one sign: what is above
//     that is never touched.
//
// Not a sample of the values (its error is in ranks, and chance), nor a tree of centroids (its bound
// is experience): this one has an error that can be stated, and two of them merge without loss.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "banyan/window.h"

namespace banyan::inline v0_1 {

namespace {

constexpr double kErrorMin = 0.001;
constexpr double kErrorMax = 0.1;
constexpr double kReach = 20.8;         // V3: e^20.8 is more than 10^9
constexpr int32_t kMiddle = 1'000'000;  // V2: above every exponent, which ln(max) / ln g bounds
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

}  // namespace

ValueSummary::ValueSummary(double relative_error) {
  if (!(relative_error > 0)) return;
  const double error = std::clamp(relative_error, kErrorMin, kErrorMax);
  log_growth_ = std::log((1 + error) / (1 - error));
}

bool ValueSummary::Add(double value) {
  if (!std::isfinite(value)) return false;
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = count_ == 0 ? value : std::max(max_, value);
  ++count_;
  AddToSum(value);
  if (log_growth_ > 0) Count(IndexOf(value), 1);
  return true;
}

void ValueSummary::Merge(const ValueSummary& other) {
  if (other.count_ == 0) return;
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = count_ == 0 ? other.max_ : std::max(max_, other.max_);
  count_ += other.count_;
  AddToSum(other.sum_);
  AddToSum(other.carry_);
  if (log_growth_ == 0) return;
  for (const Bucket& bucket : other.buckets_) {
    const bool is_same = other.log_growth_ == log_growth_;
    Count(is_same ? bucket.index : IndexOf(other.ValueOf(bucket.index)), bucket.count);
  }
}

double ValueSummary::min() const { return count_ == 0 ? kNone : min_; }
double ValueSummary::max() const { return count_ == 0 ? kNone : max_; }

double ValueSummary::Percentile(double percent) const {
  if (count_ == 0 || log_growth_ == 0) return kNone;
  // Divided last: 0.29 * 100 is less than 29.
  const double hundredfold = std::clamp(percent, 0.0, 100.0) * static_cast<double>(count_ - 1);
  const auto rank = static_cast<int64_t>(hundredfold / 100);
  if (rank <= 0) return min_;
  if (rank >= count_ - 1) return max_;
  int64_t seen = 0;
  for (const Bucket& bucket : buckets_) {
    seen += bucket.count;
    if (seen > rank) return std::clamp(ValueOf(bucket.index), min_, max_);
  }
  return max_;
}

int32_t ValueSummary::IndexOf(double value) const {
  if (value == 0) return 0;
  const double exponent = std::ceil(std::log(std::abs(value)) / log_growth_);
  const int32_t index = kMiddle + static_cast<int32_t>(exponent);
  return value > 0 ? index : -index;
}

// V1. Near the largest double this may be infinite; the caller knows the largest value.
double ValueSummary::ValueOf(int32_t index) const {
  if (index == 0) return 0;
  const double exponent = std::abs(index) - kMiddle;
  const double magnitude = std::exp(exponent * log_growth_) * 2 / (std::exp(log_growth_) + 1);
  return index > 0 ? magnitude : -magnitude;
}

void ValueSummary::Count(int32_t index, int64_t count) {
  const auto place =
      std::lower_bound(buckets_.begin(), buckets_.end(), index,
                       [](const Bucket& bucket, int32_t wanted) { return bucket.index < wanted; });
  if (place != buckets_.end() && place->index == index) {
    place->count += count;
    return;
  }
  buckets_.insert(place, {index, count});
  if (static_cast<double>(buckets_.size()) > 2 * kReach / log_growth_) Collapse();
}

// V3: of each sign the bucket next to zero, if there is another one beyond it to take its count.
void ValueSummary::Collapse() {
  const auto positive =
      std::find_if(buckets_.begin(), buckets_.end(), [](const Bucket& b) { return b.index > 0; });
  auto negative = positive;  // one past the last negative one
  if (negative != buckets_.begin() && std::prev(negative)->index == 0) --negative;
  const bool has_positive = std::distance(positive, buckets_.end()) > 1;
  const bool has_negative = std::distance(buckets_.begin(), negative) > 1;
  if (has_positive && (!has_negative || positive->index <= -std::prev(negative)->index)) {
    std::next(positive)->count += positive->count;
    buckets_.erase(positive);
  } else if (has_negative) {
    const auto smallest = std::prev(negative);
    std::prev(smallest)->count += smallest->count;
    buckets_.erase(smallest);
  }
}

// Neumaier's sum: what is lost of the smaller number is kept apart.
void ValueSummary::AddToSum(double value) {
  const double sum = sum_ + value;
  if (!std::isfinite(sum)) {
    sum_ = sum;
    carry_ = 0;
    return;
  }
  carry_ += std::abs(sum_) >= std::abs(value) ? (sum_ - sum) + value : (value - sum) + sum_;
  sum_ = sum;
}

}  // namespace banyan::inline v0_1
