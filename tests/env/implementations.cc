#include "place.h"

namespace lightning::env {

std::vector<Implementation> implementations() {
  return {{"Posix", make_posix_place}, {"Simulated", make_simulated_place}};
}

}  // namespace lightning::env
