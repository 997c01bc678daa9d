// A driver for Castor in C. castor.h is the interface's plumbing and need not be changed; docs/drivers-wasm.md of Castor describes it.
// Build it with make, try it with castor driver test. There is no libc, and no memory to be freed: each call has it all anew.
#include "castor.h"

// decode: the temperature is in the first two bytes, in hundredths of a degree.
CASTOR_EXPORT(decode) {
	castor_call c;
	if (!castor_read(&c, at, length)) return castor_error("the call cannot be read");
	if (c.bytes.length < 3) {
		char said[] = "the length of the frame is 0, it must be 3";
		said[27] = '0' + c.bytes.length;
		return castor_error(said);
	}
	const uint8_t *b = c.bytes.at;
	int16_t raw = (int16_t)(b[0] << 8 | b[1]);
	castor_map(2);
	castor_text("version"); castor_int(1);
	castor_text("data"); castor_map(2);
	castor_text("temperature"); castor_float(raw / 100.0);
	castor_text("humidity"); castor_float(b[2] / 2.0);
	return castor_answer();
}

// encode: commands for the device.
CASTOR_EXPORT(encode) {
	castor_call c;
	castor_value interval;
	if (!castor_read(&c, at, length)) return castor_error("the call cannot be read");
	if (!castor_find(c.data, "interval", &interval) || interval.kind != CASTOR_INT || interval.number < 1 || interval.number > 65535)
		return castor_error("interval must be a number of seconds from 1 to 65535");
	uint8_t frame[] = {1, (uint8_t)(interval.number >> 8), (uint8_t)interval.number};
	castor_map(3);
	castor_text("version"); castor_int(1);
	castor_text("port"); castor_int(2);
	castor_text("bytes"); castor_bytes(frame, sizeof frame);
	return castor_answer();
}

// on_event: a command is wanted when frost begins and when it ends. The platform does not call it yet; tests and tools do. Nothing but the state is kept from one call to the next.
CASTOR_EXPORT(on_event) {
	castor_call c;
	castor_value t;
	if (!castor_read(&c, at, length)) return castor_error("the call cannot be read");
	int there = castor_find(c.data, "temperature", &t);
	uint8_t frost = there && ((t.kind == CASTOR_INT && t.number < 0) || (t.kind == CASTOR_FLOAT && t.real < 0));
	int was = c.state.length == 1 && c.state.at[0] == 1;
	castor_map(was == frost ? 2 : 3);
	castor_text("version"); castor_int(1);
	castor_text("state"); castor_bytes(&frost, 1);
	if (was != frost) {
		castor_text("commands"); castor_list(1); castor_map(2);
		castor_text("name"); castor_text("heat");
		castor_text("on"); castor_bool(frost);
	}
	return castor_answer();
}
