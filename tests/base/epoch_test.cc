#include "base/epoch.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/fiber.h"

namespace lightning::base {
namespace {

using namespace std::chrono_literals;

// "Freed" nodes are only marked, so that a reader who still sees one can tell.
struct Node {
  std::atomic<bool> freed{false};
};
void mark_freed(void* node) { static_cast<Node*>(node)->freed.store(true, std::memory_order_relaxed); }

// One writer replaces a published node again and again; readers look at what they find, twice.
struct Stage {
  std::vector<std::unique_ptr<Node>> nodes;
  EpochDomain domain;  // frees into the nodes at its end
  std::atomic<Node*> published{nullptr};
  std::atomic<bool> stop{false};
  std::atomic<int> seen_freed{0};

  explicit Stage(int count) {
    for (int i = 0; i < count; ++i) nodes.push_back(std::make_unique<Node>());
    published = nodes[0].get();
  }
  void write() {
    for (std::size_t i = 1; i < nodes.size(); ++i) {
      Node* old = published.exchange(nodes[i].get(), std::memory_order_acq_rel);
      domain.retire(old, mark_freed);
      if (i % 8 == 0) domain.collect();
    }
    stop.store(true);
  }
  void read() {
    while (!stop.load()) {
      const EpochDomain::Guard outer(domain);
      const EpochDomain::Guard nested(domain);
      const Node* node = published.load(std::memory_order_acquire);
      scheduling_point();
      seen_freed += node->freed.load(std::memory_order_relaxed);
    }
  }
  int freed() const {
    int count = 0;
    for (const auto& node : nodes) count += node->freed.load();
    return count;
  }
};

TEST(EpochDomain, FreesNothingThatAReaderOnAnotherThreadMaySee) {
  Stage stage(30'000);
  {
    std::vector<Thread> threads;
    for (int t = 0; t < 3; ++t) threads.push_back(Thread::spawn("reader", [&] { stage.read(); }));
    stage.write();
  }
  EXPECT_EQ(stage.seen_freed.load(), 0);
  stage.domain.collect();
  EXPECT_EQ(stage.freed(), 29'999);
  EXPECT_EQ(stage.domain.retired(), 0u);
}

TEST(EpochDomain, FreesNothingThatAReaderOnAFiberMaySee) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Stage stage(200);
    FiberScheduler world(seed);
    ASSERT_EQ(world.run([&] {
      std::vector<Thread> threads;
      for (int t = 0; t < 3; ++t) threads.push_back(Thread::spawn("reader", [&] { stage.read(); }));
      stage.write();
    }),
              WorldEnd::kFinished);
    ASSERT_EQ(stage.seen_freed.load(), 0) << "seed " << seed;
  }
}

TEST(EpochDomain, KeepsWhatAReaderMaySeeUntilItLeaves) {
  Node node;
  EpochDomain domain;
  {
    const EpochDomain::Guard guard(domain);
    { const EpochDomain::Guard nested(domain); }
    domain.retire(&node, mark_freed);
    for (int i = 0; i < 10; ++i) domain.collect();
    EXPECT_FALSE(node.freed);
    EXPECT_EQ(domain.retired(), 1u);
  }
  domain.collect();
  EXPECT_TRUE(node.freed);
}

TEST(EpochDomain, AReaderThatCameLaterHoldsNothingUp) {
  std::vector<Node> nodes(2);
  EpochDomain domain;
  domain.retire(&nodes[0], mark_freed);
  domain.collect();
  const EpochDomain::Guard guard(domain);
  domain.retire(&nodes[1], mark_freed);
  domain.collect();
  EXPECT_TRUE(nodes[0].freed);
  EXPECT_FALSE(nodes[1].freed);
}

TEST(EpochDomain, CollectsByItselfAsObjectsAreRetired) {
  std::vector<Node> nodes(10'000);
  EpochDomain domain;
  for (Node& node : nodes) domain.retire(&node, mark_freed);
  EXPECT_LT(domain.retired(), 200u);
}

TEST(EpochDomain, DestructorFreesTheRest) {
  Node node;
  {
    EpochDomain domain;
    domain.retire(&node, mark_freed);
  }
  EXPECT_TRUE(node.freed);
}

TEST(EpochDomain, FreeingMayRetireMore) {
  struct Chain {
    EpochDomain& domain;
    int& freed;
    int left;
    static void free(void* object) {
      auto* self = static_cast<Chain*>(object);
      ++self->freed;
      if (self->left > 0) self->domain.retire(new Chain{self->domain, self->freed, self->left - 1}, &Chain::free);
      delete self;
    }
  };
  int freed = 0;
  EpochDomain domain;
  domain.retire(new Chain{domain, freed, 9}, &Chain::free);
  for (int i = 0; i < 10; ++i) domain.collect();
  EXPECT_EQ(freed, 10);
}

}  // namespace
}  // namespace lightning::base
