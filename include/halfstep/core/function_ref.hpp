#pragma once

/// \file
/// A reference to anything that can be called.

#include "halfstep/config.hpp"

#include <concepts>
#include <type_traits>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI {

/// Whether `F` can be called with these arguments and gives something that converts to `R` (anything, if `R` is void).
template <class F, class R, class... Args>
concept CallableAs = std::is_invocable_r_v<R, F&, Args...> && !std::is_member_pointer_v<std::remove_cvref_t<F>>;

template <class Signature>
class FunctionRef;

/// A non-owning reference to a callable: a function parameter that is no template and allocates nothing, at the cost of
/// one indirect call. Trivially copyable, two pointers.
///
/// The callable must outlive the reference; as a parameter it does. A lambda without captures, and any other stateless
/// callable, is not referred to at all but made anew for each call, and so may be stored in an options struct.
///
///     void for_rows(Index rows, FunctionRef<void(Index)> visit);
///     for_rows(m.rows, [&](Index r) { total += m(r, 0); });
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  /// Refers to nothing: false as a condition, and not to be called.
  constexpr FunctionRef() = default;

  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, FunctionRef> &&
           CallableAs<std::remove_reference_t<F>, R,
                      Args...>) constexpr FunctionRef(F&& callable) noexcept {  // NOLINT(google-explicit-constructor):
                                                                                // converts as a parameter
    using Callable = std::remove_reference_t<F>;
    if constexpr (std::is_function_v<Callable>) {
      target_.function = reinterpret_cast<void (*)()>(&callable);
      call_ = [](Target target, Args... args) -> R {
        return static_cast<R>(reinterpret_cast<Callable*>(target.function)(std::forward<Args>(args)...));
      };
    } else if constexpr (std::is_empty_v<Callable> && std::is_trivially_default_constructible_v<Callable>) {
      call_ = [](Target, Args... args) -> R { return static_cast<R>(Callable()(std::forward<Args>(args)...)); };
    } else {
      target_.object = const_cast<void*>(static_cast<const volatile void*>(&callable));
      call_ = [](Target target, Args... args) -> R {
        return static_cast<R>((*static_cast<Callable*>(target.object))(std::forward<Args>(args)...));
      };
    }
  }

  /// Calls it. Must refer to something.
  R operator()(Args... args) const { return call_(target_, std::forward<Args>(args)...); }

  /// Whether it refers to something.
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return call_ != nullptr; }

 private:
  union Target {
    void* object = nullptr;
    void (*function)();  // a pointer to a function need not fit a pointer to an object
  };

  Target target_;
  R (*call_)(Target, Args...) = nullptr;
};

}  // namespace halfstep::inline HALFSTEP_ABI
