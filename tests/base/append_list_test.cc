// SPDX-License-Identifier: Apache-2.0
#include "base/append_list.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

TEST(AppendListTest, ObjectsStayWhereTheyAreAndGoWithTheList) {
  struct Counted {
    explicit Counted(int* alive_in, size_t number_in) : alive(alive_in), number(number_in) {
      ++*alive;
    }
    ~Counted() { --*alive; }
    int* alive;
    size_t number;
  };
  int alive = 0;
  {
    AppendList<Counted> list;
    std::vector<Counted*> places;
    for (size_t i = 0; i < 1'000; ++i) {
      ASSERT_EQ(list.size(), i);
      places.push_back(&list.Add(std::make_unique<Counted>(&alive, i)));
    }
    EXPECT_EQ(alive, 1'000);
    for (size_t i = 0; i < 1'000; ++i) {
      ASSERT_EQ(&list[i], places[i]);
      ASSERT_EQ(list[i].number, i);
    }
  }
  EXPECT_EQ(alive, 0);
}

TEST(AppendListTest, AReaderSeesEachObjectWhole) {
  AppendList<size_t> list;
  std::atomic<bool> done{false};
  std::thread reader([&] {
    for (;;) {
      const bool last = done;
      const size_t size = list.size();
      if (size > 0) {
        ASSERT_EQ(list[size - 1], size - 1);
        ASSERT_EQ(list[size / 2], size / 2);
      }
      if (last) return;
    }
  });
  for (size_t i = 0; i < 20'000; ++i) list.Add(std::make_unique<size_t>(i));
  done = true;
  reader.join();
}

}  // namespace
}  // namespace banyan::internal
