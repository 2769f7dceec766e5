// The protocol of trainers, docs/trainer-protocol.md, in C: its numbers, bounds and byte order. Nothing but
// C99 (or C++) is needed, so that this file can be copied to wherever a trainer is written. That page says
// what the messages mean and in which order they come.
#ifndef DYBW_TRAINER_PROTOCOL_H
#define DYBW_TRAINER_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DYBW_MAGIC 0x57425944U // "DYBW"
#define DYBW_PROTOCOL 1U

// What a trainer finds in its environment; it takes them out of there.
#define DYBW_ENV_SOCKET "DYBW_TRAINER" // path of the socket
#define DYBW_ENV_WORKER "DYBW_WORKER"  // number of its worker, if dybw started it

// Before each body: u32 bytes of the body, u16 type, u16 zero.
#define DYBW_HEAD_SIZE 8U

enum dybw_message { // T: the trainer says it, D: dybw
  DYBW_HELLO = 1,   // T
  DYBW_PLACE,       // D
  DYBW_REFUSED,     // D
  DYBW_ROWS_WANTED, // T
  DYBW_ROWS,        // D
  DYBW_LAYOUT,      // T
  DYBW_SLOTS,       // D
  DYBW_READY,       // T
  DYBW_STEP,        // D
  DYBW_DONE,        // T
  DYBW_EVALUATE,    // D
  DYBW_SCORE,       // T
  DYBW_SAVE,        // D
  DYBW_SAVED,       // T
  DYBW_LOAD,        // D
  DYBW_LOADED,      // T
  DYBW_FAILED,      // T
  DYBW_BYE          // D
};

enum dybw_ability { // in `layout`, added up
  DYBW_EVALUATES = 1,
  DYBW_SAVES = 2 // and loads
};

enum dybw_layout_class { // of an array in `layout`
  DYBW_AVERAGED = 0,
  DYBW_FROZEN = 1
};

enum dybw_better { // of a value in `score`
  DYBW_LARGER_IS_BETTER = 0,
  DYBW_SMALLER_IS_BETTER = 1
};

// The most bytes that a body of this type may have; 0 also for a type that there is not.
static inline uint64_t dybw_body_max(unsigned type) {
  const uint64_t kib = 1024;
  switch (type) {
  case DYBW_SLOTS:
  case DYBW_STEP:
  case DYBW_DONE:
    return 24;
  case DYBW_EVALUATE:
    return 4;
  case DYBW_HELLO:
  case DYBW_READY:
  case DYBW_BYE:
    return 4 * kib;
  case DYBW_PLACE:
  case DYBW_REFUSED:
  case DYBW_SCORE:
    return 64 * kib;
  case DYBW_FAILED:
    return 128 * kib;
  case DYBW_LAYOUT:
    return 16 * kib * kib;
  case DYBW_ROWS_WANTED:
  case DYBW_ROWS:
  case DYBW_SAVED:
  case DYBW_LOAD:
    return kib * kib * kib;
  default: // DYBW_SAVE, DYBW_LOADED
    return 0;
  }
}

// Numbers of a message. No pointer need be aligned; the caller knows that there are so many bytes. Masks
// stand where a cast would: what compiles as both languages without a warning has no cast.

static inline void dybw_put_u16(unsigned char* to, uint16_t value) {
  const unsigned bits = value;
  to[0] = bits & 0xffU;
  to[1] = (bits >> 8) & 0xffU;
}

static inline void dybw_put_u32(unsigned char* to, uint32_t value) {
  unsigned i;
  for (i = 0; i < 4; ++i)
    to[i] = (value >> (8 * i)) & 0xffU;
}

static inline void dybw_put_u64(unsigned char* to, uint64_t value) {
  unsigned i;
  for (i = 0; i < 8; ++i)
    to[i] = (value >> (8 * i)) & 0xffU;
}

static inline void dybw_put_i32(unsigned char* to, int32_t value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  dybw_put_u32(to, bits);
}

static inline void dybw_put_f64(unsigned char* to, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  dybw_put_u64(to, bits);
}

static inline uint16_t dybw_get_u16(const unsigned char* from) {
  const unsigned high = from[1];
  return (from[0] | (high << 8)) & 0xffffU;
}

static inline uint32_t dybw_get_u32(const unsigned char* from) {
  const uint32_t high = dybw_get_u16(from + 2);
  return dybw_get_u16(from) | (high << 16);
}

static inline uint64_t dybw_get_u64(const unsigned char* from) {
  const uint64_t high = dybw_get_u32(from + 4);
  return dybw_get_u32(from) | (high << 32);
}

static inline int32_t dybw_get_i32(const unsigned char* from) {
  const uint32_t bits = dybw_get_u32(from);
  int32_t value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline double dybw_get_f64(const unsigned char* from) {
  const uint64_t bits = dybw_get_u64(from);
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// What precedes a body.
static inline void dybw_put_head(unsigned char* to, uint32_t body_size, uint16_t type) {
  dybw_put_u32(to, body_size);
  dybw_put_u16(to + 4, type);
  dybw_put_u16(to + 6, 0);
}

// The CRC-32 of zlib, IEEE 802.3 and PNG. `crc` is 0 at first, then the result for the bytes before.
static inline uint32_t dybw_crc32(uint32_t crc, const unsigned char* bytes, size_t size) {
  static const uint32_t of_four_bits[16] = {
      0x00000000U, 0x1db71064U, 0x3b6e20c8U, 0x26d930acU, 0x76dc4190U, 0x6b6b51f4U, 0x4db26158U, 0x5005713cU,
      0xedb88320U, 0xf00f9344U, 0xd6d6a3e8U, 0xcb61b38cU, 0x9b64c2b0U, 0x86d3d2d4U, 0xa00ae278U, 0xbdbdf21cU,
  };
  size_t i;
  crc = ~crc;
  for (i = 0; i < size; ++i) {
    crc ^= bytes[i];
    crc = (crc >> 4) ^ of_four_bits[crc & 15U];
    crc = (crc >> 4) ^ of_four_bits[crc & 15U];
  }
  return ~crc;
}

#endif
