// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "banyan/runtime.h"
#include "gtest/gtest.h"

namespace banyan {
namespace {

class NamedWaiter : public Waiter {
 public:
  NamedWaiter(char name, std::string& woken) : name_(name), woken_(woken) {}
  void Wake() override { woken_ += name_; }

 private:
  const char name_;
  std::string& woken_;
};

class WaitListTest : public ::testing::Test {
 protected:
  std::string woken_;
  NamedWaiter a_{'a', woken_}, b_{'b', woken_}, c_{'c', woken_};
  WaitList list_;
};

TEST_F(WaitListTest, WakeOneOfNobodyDoesNothing) {
  list_.WakeOne();
  list_.WakeAll();
  EXPECT_TRUE(list_.empty());
}

TEST_F(WaitListTest, WakesTheOldestFirstAndEachOnce) {
  list_.Add(&a_);
  list_.Add(&b_);
  list_.Add(&c_);
  list_.WakeOne();
  list_.WakeOne();
  EXPECT_EQ(woken_, "ab");
  EXPECT_FALSE(list_.empty());
  list_.WakeOne();
  list_.WakeOne();
  EXPECT_EQ(woken_, "abc");
  EXPECT_TRUE(list_.empty());
}

TEST_F(WaitListTest, AddingTwiceKeepsThePlace) {
  list_.Add(&a_);
  list_.Add(&b_);
  list_.Add(&a_);
  list_.WakeAll();
  EXPECT_EQ(woken_, "ab");
}

TEST_F(WaitListTest, WhoWasWokenAndComesBackIsLast) {
  list_.Add(&a_);
  list_.Add(&b_);
  list_.WakeOne();
  list_.Add(&a_);
  list_.WakeAll();
  EXPECT_EQ(woken_, "aba");
}

TEST_F(WaitListTest, RemovesFromFrontMiddleAndBack) {
  for (NamedWaiter* leaver : {&a_, &b_, &c_}) {
    woken_.clear();
    list_.Add(&a_);
    list_.Add(&b_);
    list_.Add(&c_);
    list_.Remove(leaver);
    list_.Remove(leaver);
    list_.WakeAll();
    EXPECT_EQ(woken_.size(), 2u);
    EXPECT_TRUE(list_.empty());
  }
}

}  // namespace
}  // namespace banyan
