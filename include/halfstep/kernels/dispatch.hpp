#pragma once

/// \file
/// One binary for every CPU: which of the kernels that were linked in a program uses, chosen once, by what the
/// processor and the operating system of this run support. docs/isa.md shows the whole of it.
///
///     halfstep_add_isa_variants(my_program)                        # CMake: kernels for each instruction set
///     const hs::KernelTable& used = hs::use_best_kernels();        // first thing in main; used.isa is its name
///
/// For units compiled for the baseline. halfstep.hpp does not include this header, since a program without variants has
/// no `linked_kernel_tables`.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/kernels/kernel_table.hpp"
#include "halfstep/kernels/tile_default.hpp"
#include "halfstep/simd/cpu.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// The tables of the variants that this program was linked with.
[[nodiscard]] inline std::span<const KernelTable* const> linked_kernels() {
  std::size_t count = 0;
  while (linked_kernel_tables[count] != nullptr) ++count;
  return {linked_kernel_tables, count};
}

/// The table of instruction set `isa` among `tables`, or null.
[[nodiscard]] inline const KernelTable* find_kernels(std::span<const KernelTable* const> tables, std::string_view isa) {
  for (const KernelTable* const table : tables) {
    if (table->isa == isa) return table;
  }
  return nullptr;
}

/// The names of `tables`, as messages list them.
[[nodiscard]] inline std::string names_of(std::span<const KernelTable* const> tables) {
  std::string names;
  for (const KernelTable* const table : tables) names += (names.empty() ? "" : ", ") + std::string(table->isa);
  return names.empty() ? "none" : names;
}

/// The table that this machine is to use: that of instruction set `requested`, or for an empty string the best one that
/// runs here. Errors: a requested one that is not among `tables`, or that this machine cannot run, with the processor
/// feature that it lacks; no table that runs.
[[nodiscard]] inline const KernelTable& pick_kernels(std::span<const KernelTable* const> tables,
                                                     std::string_view requested = {}) {
  if (!requested.empty()) {
    const KernelTable* const table = find_kernels(tables, requested);
    if (table == nullptr) {
      raise("pick_kernels", "instruction set \"", requested,
            "\" was asked for, expected one that was built in: ", names_of(tables));
    }
    if (const auto lack = simd::missing_feature(requested); !lack.empty()) {
      raise("pick_kernels", "instruction set \"", requested, "\" was asked for, and this machine lacks ", lack);
    }
    return *table;
  }
  for (const std::string_view isa : simd::isa_names) {
    const KernelTable* const table = find_kernels(tables, isa);
    if (table != nullptr && simd::cpu_supports(isa)) return *table;
  }
  raise("pick_kernels", "this machine runs none of the instruction sets that were built in: ", names_of(tables));
}

/// From now on products of this program use these kernels, unless their options name one. `table` must outlive them.
/// Results do not depend on it. May be called at any time and from any thread.
inline const KernelTable& use_kernels(const KernelTable& table) {
  kernels_in_use.store(&table, std::memory_order_release);
  return table;
}

/// Picks among the linked tables and uses what it picked: the best one for this machine, or the one that the
/// environment variable HALFSTEP_ISA names. Errors: those of `pick_kernels`.
inline const KernelTable& use_best_kernels() {
  const char* const requested = std::getenv("HALFSTEP_ISA");
  return use_kernels(pick_kernels(linked_kernels(), requested != nullptr ? requested : ""));
}

}  // namespace halfstep::inline HALFSTEP_ABI
