// SPDX-License-Identifier: Apache-2.0
//
// A Retirer that makes a late reader show: what is collected is overwritten, and given back to the
// allocator only when much else has been collected since. Whoever still reads it meets the poison
// (or crashes on it), whatever the allocator does and without AddressSanitizer.
#ifndef BANYAN_TESTS_PATTERN_POISONING_RETIRER_H_
#define BANYAN_TESTS_PATTERN_POISONING_RETIRER_H_

#include <cstddef>
#include <cstring>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "base/epoch.h"

namespace banyan::inline v0_1::internal {

class PoisoningRetirer final : public Retirer {
 public:
  using TestEpochs = Epochs<int>;
  static constexpr int kPoisonByte = 0xdb;

  PoisoningRetirer() = default;

  ~PoisoningRetirer() {
    Collect();
    LetGo(0);
  }

  void Retire(void* object, void (*destroy)(void*), size_t bytes) override {
    epochs_.Retire(new Item{this, object, destroy, bytes}, &Poison, bytes);
  }

  // Poisons what nobody can see any more.
  void Collect() {
    epochs_.Collect(&gone_);
    for (const Retired& retired : gone_) retired.destroy(retired.object);
    gone_.clear();
    LetGo(kKeptBytes);
  }

  const TestEpochs& epochs() const { return epochs_; }
  size_t retired_bytes() const { return epochs_.retired_bytes(); }

 private:
  static constexpr size_t kKeptBytes = size_t{16} << 20;

  struct Item {
    PoisoningRetirer* const retirer;
    void* const object;
    void (*const destroy)(void*);
    const size_t bytes;
  };

  static void Poison(void* item_in) {
    std::unique_ptr<Item> item(static_cast<Item*>(item_in));
    std::memset(item->object, kPoisonByte, item->bytes);
    item->retirer->kept_bytes_ += item->bytes;
    item->retirer->kept_.push_back(std::move(item));
  }

  void LetGo(size_t keep_bytes) {
    for (; kept_bytes_ > keep_bytes; kept_.pop_front()) {
      const Item& item = *kept_.front();
      item.destroy(item.object);
      kept_bytes_ -= item.bytes;
    }
  }

  std::vector<Retired> gone_;
  std::deque<std::unique_ptr<Item>> kept_;
  size_t kept_bytes_ = 0;
  TestEpochs epochs_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_TESTS_PATTERN_POISONING_RETIRER_H_
