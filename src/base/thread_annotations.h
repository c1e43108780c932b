// Names for clang's thread-safety attributes (https://clang.llvm.org/docs/ThreadSafetyAnalysis.html); nothing
// elsewhere.
#pragma once

#if defined(__clang__)
#define LIGHTNING_ANNOTATE(x) __attribute__((x))
#else
#define LIGHTNING_ANNOTATE(x)
#endif

#define LIGHTNING_CAPABILITY(x) LIGHTNING_ANNOTATE(capability(x))
#define LIGHTNING_SCOPED_CAPABILITY LIGHTNING_ANNOTATE(scoped_lockable)
#define LIGHTNING_GUARDED_BY(x) LIGHTNING_ANNOTATE(guarded_by(x))
#define LIGHTNING_PT_GUARDED_BY(x) LIGHTNING_ANNOTATE(pt_guarded_by(x))
#define LIGHTNING_REQUIRES(...) LIGHTNING_ANNOTATE(requires_capability(__VA_ARGS__))
#define LIGHTNING_ACQUIRE(...) LIGHTNING_ANNOTATE(acquire_capability(__VA_ARGS__))
#define LIGHTNING_RELEASE(...) LIGHTNING_ANNOTATE(release_capability(__VA_ARGS__))
#define LIGHTNING_TRY_ACQUIRE(...) LIGHTNING_ANNOTATE(try_acquire_capability(__VA_ARGS__))
#define LIGHTNING_EXCLUDES(...) LIGHTNING_ANNOTATE(locks_excluded(__VA_ARGS__))
#define LIGHTNING_ASSERT_CAPABILITY(x) LIGHTNING_ANNOTATE(assert_capability(x))
#define LIGHTNING_NO_THREAD_SAFETY_ANALYSIS LIGHTNING_ANNOTATE(no_thread_safety_analysis)
