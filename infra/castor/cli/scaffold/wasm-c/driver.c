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
	castor_value command, input, v;
	uint8_t frame[3];
	size_t used;
	if (!castor_read(&c, at, length)) return castor_error("the call cannot be read");
	if (!castor_find(c.data, "command", &command) || !castor_find(c.data, "input", &input)) return castor_error("command and input must be given");
	if (castor_same(command.span, "interval")) {
		if (!castor_find(input, "seconds", &v) || v.kind != CASTOR_INT || v.number < 1 || v.number > 65535)
			return castor_error("seconds must be a number from 1 to 65535");
		frame[0] = 1; frame[1] = (uint8_t)(v.number >> 8); frame[2] = (uint8_t)v.number;
		used = 3;
	} else if (castor_same(command.span, "heat")) {
		frame[0] = 2; frame[1] = castor_find(input, "on", &v) && v.kind == CASTOR_TRUE;
		used = 2;
	} else {
		return castor_error("the device knows the commands interval and heat");
	}
	castor_map(3);
	castor_text("version"); castor_int(1);
	castor_text("port"); castor_int(2);
	castor_text("bytes"); castor_bytes(frame, used);
	return castor_answer();
}

// on_event: the heater is to go on when frost begins and off when it ends. It is called with what the device says where the type says
// reacts: true. Nothing but the state is kept from one call to the next.
CASTOR_EXPORT(on_event) {
	castor_call c;
	castor_value t, v;
	if (!castor_read(&c, at, length)) return castor_error("the call cannot be read");
	uint8_t was = c.state.length == 1 && c.state.at[0] == 1, frost = was;
	int failed = castor_same(c.kind, "response") && castor_find(c.data, "name", &v) && castor_same(v.span, "heat") &&
		castor_find(c.data, "status", &v) && castor_same(v.span, "failed");
	if (failed) was = frost = 0; // it is tried again with the next frost
	if (castor_same(c.kind, "telemetry") && castor_find(c.data, "temperature", &t) && (t.kind == CASTOR_INT || t.kind == CASTOR_FLOAT))
		frost = t.kind == CASTOR_INT ? t.number < 0 : t.real < 0;
	castor_map(was == frost ? 2 : 3);
	castor_text("version"); castor_int(1);
	castor_text("state"); castor_bytes(&frost, 1);
	if (was != frost) {
		castor_text("commands"); castor_list(1); castor_map(2);
		castor_text("name"); castor_text("heat");
		castor_text("input"); castor_map(1);
		castor_text("on"); castor_bool(frost);
	}
	return castor_answer();
}
