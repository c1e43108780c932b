// Points of a history and what must be before what; cycles in that.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/history/history.h"

namespace lightning::sim::history {

enum class EdgeKind : std::uint8_t {
  kInside,  // from a transaction's reads to its commit; or from one moment to the next
  kWw,
  kWr,
  kRw,
  kRangeRw,  // the key lay in a range that was read, and was absent
  kProcess,
  kTime,
  kSequence,
};

using Point = std::uint32_t;

struct Edge {
  Point from = 0, to = 0;
  EdgeKind kind = EdgeKind::kInside;
  Key key = 0;  // of kWw, kWr, kRw, kRangeRw
};

class Graph {
 public:
  explicit Graph(Point points) : points_(points) {}
  void add(Edge edge) { edges_.push_back(edge); }
  const std::vector<Edge>& edges() const { return edges_; }

  // A short cycle of each part of the graph in which every point can be reached from every other (strongly connected
  // components: Tarjan 1972), by edges of kinds up to `last`.
  std::vector<std::vector<Edge>> cycles(EdgeKind last) const;

 private:
  struct Adjacency {
    std::vector<std::uint32_t> first;  // of each point, into `edges`
    std::vector<Edge> edges;
  };
  Adjacency adjacency(EdgeKind last) const;
  static std::vector<std::vector<Point>> components(const Adjacency& adjacency, Point points);
  static std::vector<Edge> short_cycle(const Adjacency& adjacency, const std::vector<Point>& component, Point points);

  Point points_;
  std::vector<Edge> edges_;
};

}  // namespace lightning::sim::history
