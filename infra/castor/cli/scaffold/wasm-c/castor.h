// The plumbing of a Castor driver in C: what the platform asks is read from CBOR, what the driver answers is written as CBOR
// (RFC 8949). Everything is bounded; what does not fit is answered as an error.
#ifndef CASTOR_H
#define CASTOR_H

#include <stddef.h>
#include <stdint.h>

// An operation that the driver has: CASTOR_EXPORT(decode) { … }, with at and length, returning castor_answer() or castor_error(…).
#define CASTOR_EXPORT(name) __attribute__((export_name(#name))) uint64_t name(uint8_t *at, uint32_t length)

// Says something to whoever tests the driver.
__attribute__((import_module("castor"), import_name("log"))) void castor_log(const char *text, uint32_t length);

typedef struct { const uint8_t *at; size_t length; } castor_span;

typedef enum { CASTOR_NONE, CASTOR_INT, CASTOR_FLOAT, CASTOR_BYTES, CASTOR_TEXT, CASTOR_LIST, CASTOR_MAP, CASTOR_FALSE, CASTOR_TRUE, CASTOR_NULL } castor_kind;

typedef struct {
	castor_kind kind;
	int64_t number;     // of CASTOR_INT; how many elements or pairs, of lists and maps
	double real;        // of CASTOR_FLOAT
	castor_span span;   // of bytes and text; of lists and maps: what is in them
} castor_value;

typedef struct {
	castor_span op, bytes, topic, kind, state; // kind: of an event, telemetry, state, event, presence or response
	int64_t port, time; // 0 = none
	castor_value data, variables;
} castor_call;

// Reading.

static int castor_next(castor_span *in, castor_value *v, int depth);

static int castor_skip(castor_span *in, int64_t count, int depth) {
	castor_value v;
	for (; count > 0; count--) if (!castor_next(in, &v, depth)) return 0;
	return 1;
}

// castor_next reads the value at the begin of in, and leaves in behind it.
static int castor_next(castor_span *in, castor_value *v, int depth) {
	if (in->length < 1 || depth > 32) return 0;
	uint8_t first = in->at[0], low = first & 31;
	uint64_t n = low;
	size_t used = 1;
	if (low >= 24) {
		if (low > 27) return 0;
		size_t size = (size_t)1 << (low - 24);
		if (in->length < 1 + size) return 0;
		for (n = 0; used <= size; used++) n = n << 8 | in->at[used];
	}
	in->at += used; in->length -= used;
	*v = (castor_value){.kind = CASTOR_NONE, .number = (int64_t)n, .span = *in};
	switch (first >> 5) {
	case 0: v->kind = CASTOR_INT; return 1;
	case 1: v->kind = CASTOR_INT; v->number = ~(int64_t)n; return 1;
	case 2: case 3:
		if (n > in->length) return 0;
		v->kind = first >> 5 == 2 ? CASTOR_BYTES : CASTOR_TEXT;
		v->span.length = n;
		in->at += n; in->length -= n;
		return 1;
	case 4: case 5:
		if (n > in->length) return 0;
		v->kind = first >> 5 == 4 ? CASTOR_LIST : CASTOR_MAP;
		return castor_skip(in, v->kind == CASTOR_MAP ? 2 * (int64_t)n : (int64_t)n, depth + 1);
	case 7:
		switch (first) {
		case 0xf4: v->kind = CASTOR_FALSE; return 1;
		case 0xf5: v->kind = CASTOR_TRUE; return 1;
		case 0xf6: v->kind = CASTOR_NULL; return 1;
		case 0xfb: v->kind = CASTOR_FLOAT; __builtin_memcpy(&v->real, &n, 8); return 1;
		}
	}
	return 0;
}

static int castor_same(castor_span text, const char *name) {
	size_t i = 0;
	for (; i < text.length; i++) if (!name[i] || (char)text.at[i] != name[i]) return 0;
	return !name[i];
}

// castor_find finds a name in a map.
static int castor_find(castor_value map, const char *name, castor_value *v) {
	castor_value key;
	if (map.kind != CASTOR_MAP) return 0;
	for (int64_t i = 0; i < map.number; i++) {
		if (!castor_next(&map.span, &key, 0) || !castor_next(&map.span, v, 0)) return 0;
		if (key.kind == CASTOR_TEXT && castor_same(key.span, name)) return 1;
	}
	return 0;
}

// castor_read reads what the platform asks.
static int castor_read(castor_call *c, const uint8_t *at, uint32_t length) {
	castor_span in = {at, length};
	castor_value all, v;
	*c = (castor_call){0};
	if (!castor_next(&in, &all, 0) || !castor_find(all, "version", &v) || v.number != 1) return 0;
	if (castor_find(all, "op", &v)) c->op = v.span;
	if (castor_find(all, "bytes", &v)) c->bytes = v.span;
	if (castor_find(all, "topic", &v)) c->topic = v.span;
	if (castor_find(all, "kind", &v)) c->kind = v.span;
	if (castor_find(all, "state", &v)) c->state = v.span;
	if (castor_find(all, "port", &v)) c->port = v.number;
	if (castor_find(all, "time", &v)) c->time = v.number;
	if (castor_find(all, "data", &v)) c->data = v;
	if (castor_find(all, "variables", &v)) c->variables = v;
	return 1;
}

// Writing. A map is castor_map(2) and then its two names, each with its value after it; a list is castor_list(n) and n values.

#ifndef CASTOR_ROOM
#define CASTOR_ROOM 16384 // bytes of an answer
#endif

static uint8_t castor_out[CASTOR_ROOM];
static size_t castor_used;

static void castor_put(uint8_t b) {
	if (castor_used < CASTOR_ROOM) castor_out[castor_used] = b;
	castor_used++;
}

static void castor_head(uint8_t major, uint64_t n) {
	int size = n < 24 ? 0 : n <= 0xff ? 1 : n <= 0xffff ? 2 : n <= 0xffffffff ? 4 : 8;
	castor_put((uint8_t)(major << 5 | (size == 0 ? n : size == 1 ? 24 : size == 2 ? 25 : size == 4 ? 26 : 27)));
	while (size-- > 0) castor_put((uint8_t)(n >> 8 * size));
}

static inline void castor_map(uint64_t pairs) { castor_head(5, pairs); }
static inline void castor_list(uint64_t n) { castor_head(4, n); }
static inline void castor_int(int64_t n) { castor_head(n < 0, n < 0 ? (uint64_t)~n : (uint64_t)n); }
static inline void castor_bool(int yes) { castor_put(yes ? 0xf5 : 0xf4); }
static inline void castor_null(void) { castor_put(0xf6); }

static inline void castor_float(double real) {
	uint64_t n;
	__builtin_memcpy(&n, &real, 8);
	castor_put(0xfb);
	for (int shift = 56; shift >= 0; shift -= 8) castor_put((uint8_t)(n >> shift));
}

static inline void castor_bytes(const uint8_t *b, size_t length) {
	castor_head(2, length);
	for (size_t i = 0; i < length; i++) castor_put(b[i]);
}

static inline void castor_text(const char *s) {
	size_t length = 0;
	while (s[length]) length++;
	castor_head(3, length);
	for (size_t i = 0; i < length; i++) castor_put((uint8_t)s[i]);
}

// castor_error answers that the message cannot be taken, and why.
static uint64_t castor_answer(void);
static inline uint64_t castor_error(const char *why) {
	castor_used = 0;
	castor_map(2);
	castor_text("version"); castor_int(1);
	castor_text("errors"); castor_list(1); castor_text(why);
	return castor_answer();
}

// castor_answer returns what was written.
static uint64_t castor_answer(void) {
	if (castor_used > CASTOR_ROOM) return castor_error("the driver's answer is larger than its CASTOR_ROOM");
	return (uint64_t)(uintptr_t)castor_out << 32 | castor_used;
}

// alloc is where the platform puts what it asks: behind everything else. There is one call for each life of this memory.
extern uint8_t __heap_base;
__attribute__((export_name("alloc"))) uint8_t *castor_alloc(uint32_t length) {
	size_t end = (size_t)&__heap_base + length, have = __builtin_wasm_memory_size(0) << 16;
	if (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535) >> 16) == (size_t)-1) return 0;
	return &__heap_base;
}

#endif
