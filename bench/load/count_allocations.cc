// bench/load/count_allocations.cc: preloaded into a server, counts how often it asks the allocator for memory.
//
// Shapes   a native-endian 64-bit number of calls in the file that ALLOCATION_COUNTS names; the
//          file is mapped, so that reading it disturbs nobody.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

using Calls = std::atomic<uint64_t>;

Calls nowhere;
std::atomic<Calls*> calls{&nowhere};

[[gnu::constructor]] void map_calls() {
  const char* const path = std::getenv("ALLOCATION_COUNTS");
  if (path == nullptr) return;
  const int fd = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ::ftruncate(fd, sizeof(Calls)) != 0) return;
  void* const mapped = ::mmap(nullptr, sizeof(Calls), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (mapped != MAP_FAILED) calls = static_cast<Calls*>(mapped);
}

void count() { calls.load(std::memory_order_relaxed)->fetch_add(1, std::memory_order_relaxed); }

}  // namespace

// The C library's own, by the names it exports for this purpose: dlsym() would itself allocate.
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) {
  count();
  return __libc_malloc(bytes);
}
void* calloc(size_t items, size_t bytes) {
  count();
  return __libc_calloc(items, bytes);
}
void* realloc(void* old, size_t bytes) {
  count();
  return __libc_realloc(old, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) {
  count();
  return __libc_memalign(alignment, bytes);
}
}
