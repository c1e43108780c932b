#include "sim/history/graph.h"

#include <algorithm>
#include <deque>

namespace lightning::sim::history {

Graph::Adjacency Graph::adjacency(EdgeKind last) const {
  Adjacency adjacency;
  adjacency.first.assign(points_ + 1, 0);
  for (const Edge& edge : edges_)
    if (edge.kind <= last) ++adjacency.first[edge.from + 1];
  for (Point point = 0; point < points_; ++point) adjacency.first[point + 1] += adjacency.first[point];
  adjacency.edges.resize(adjacency.first.back());
  std::vector<std::uint32_t> next(adjacency.first.begin(), adjacency.first.end() - 1);
  for (const Edge& edge : edges_)
    if (edge.kind <= last) adjacency.edges[next[edge.from]++] = edge;
  return adjacency;
}

// Those with more than one point. Without recursion: a path may be as long as the history.
std::vector<std::vector<Point>> Graph::components(const Adjacency& adjacency, Point points) {
  constexpr std::uint32_t kUnseen = ~0u;
  std::vector<std::uint32_t> order(points, kUnseen), low(points, 0), next(points, 0);
  std::vector<bool> on_stack(points, false);
  std::vector<Point> stack, path;
  std::vector<std::vector<Point>> found;
  std::uint32_t seen = 0;
  const auto open = [&](Point point) {
    order[point] = low[point] = seen++;
    next[point] = adjacency.first[point];
    on_stack[point] = true;
    stack.push_back(point);
    path.push_back(point);
  };
  for (Point root = 0; root < points; ++root) {
    if (order[root] != kUnseen) continue;
    open(root);
    while (!path.empty()) {
      const Point point = path.back();
      if (next[point] < adjacency.first[point + 1]) {
        const Point to = adjacency.edges[next[point]++].to;
        if (order[to] == kUnseen) {
          open(to);
        } else if (on_stack[to]) {
          low[point] = std::min(low[point], order[to]);
        }
        continue;
      }
      path.pop_back();
      if (!path.empty()) low[path.back()] = std::min(low[path.back()], low[point]);
      if (low[point] != order[point]) continue;
      std::vector<Point> component;
      Point member;
      do {
        member = stack.back();
        stack.pop_back();
        on_stack[member] = false;
        component.push_back(member);
      } while (member != point);
      if (component.size() > 1) found.push_back(std::move(component));
    }
  }
  return found;
}

// The shortest through one of the first points, where steps inside a transaction, or of time, count nothing.
std::vector<Edge> Graph::short_cycle(const Adjacency& adjacency, const std::vector<Point>& component, Point points) {
  constexpr std::size_t kTries = 64;
  constexpr std::uint32_t kFar = ~0u;
  std::vector<bool> inside(points, false);
  for (const Point point : component) inside[point] = true;
  std::vector<Edge> best;
  std::uint32_t best_cost = kFar;
  for (std::size_t i = 0; i < component.size() && i < kTries; ++i) {
    const Point start = component[i * component.size() / std::min(component.size(), kTries)];
    std::vector<std::uint32_t> cost(points, kFar);
    std::vector<Edge> came(points);
    std::deque<Point> waiting{start};
    cost[start] = 0;
    std::uint32_t back_cost = kFar;
    Edge back;
    while (!waiting.empty()) {
      const Point point = waiting.front();
      waiting.pop_front();
      for (std::uint32_t e = adjacency.first[point]; e < adjacency.first[point + 1]; ++e) {
        const Edge& edge = adjacency.edges[e];
        if (!inside[edge.to]) continue;
        const std::uint32_t length = cost[point] + (edge.kind == EdgeKind::kInside ? 0 : 1);
        if (edge.to == start && length < back_cost) back_cost = length, back = edge;
        if (length >= cost[edge.to]) continue;
        cost[edge.to] = length;
        came[edge.to] = edge;
        edge.kind == EdgeKind::kInside ? waiting.push_front(edge.to) : waiting.push_back(edge.to);
      }
    }
    if (back_cost >= best_cost) continue;
    best_cost = back_cost;
    best.assign(1, back);
    for (Point point = back.from; point != start; point = came[point].from) best.push_back(came[point]);
    std::reverse(best.begin(), best.end());
  }
  return best;
}

std::vector<std::vector<Edge>> Graph::cycles(EdgeKind last) const {
  const Adjacency all = adjacency(last);
  std::vector<std::vector<Edge>> found;
  for (const std::vector<Point>& component : components(all, points_))
    found.push_back(short_cycle(all, component, points_));
  return found;
}

}  // namespace lightning::sim::history
