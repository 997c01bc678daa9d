package format

// ucum are the units of SenML (RFC 8428, 12.1; RFC 8798) whose UCUM code is another.
var ucum = map[string]string{
	"/": "1", "%RH": "%", "%EL": "%", "EL": "1", "B": "By", "VA": "V.A", "kVA": "kV.A", "Ah": "A.h", "Wh": "W.h", "kWh": "kW.h",
	"1/s": "/s", "1/min": "/min", "beat/min": "/min", "l/s": "L/s", "lat": "deg", "lon": "deg",
}

// ucum is the measurement's unit as a UCUM code; "" = not told.
func (m *Measurement) ucum() string {
	if code, other := ucum[m.Unit]; other {
		return code
	}
	return m.Unit
}
