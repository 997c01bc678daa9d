package unit

import "strings"

// meant are what people write for units, in small letters, and the codes that UCUM has for them.
var meant = map[string]string{
	"degc": "Cel", "celsius": "Cel", "degf": "[degF]", "fahrenheit": "[degF]", "kelvin": "K", "kwh": "kW.h", "wh": "W.h", "mwh": "MW.h", "ah": "A.h", "mah": "mA.h",
	"va": "V.A", "kva": "kV.A", "ppm": "[ppm]", "ppb": "[ppb]", "psi": "[psi]", "mmhg": "mm[Hg]", "volt": "V", "volts": "V", "amp": "A", "ampere": "A", "watt": "W",
	"watts": "W", "lux": "lx", "rpm": "{rev}/min", "%rh": "%", "rh": "%", "percent": "%", "lpm": "L/min", "sec": "s", "second": "s", "seconds": "s", "minute": "min", "minutes": "min",
	"hour": "h", "hours": "h", "inch": "[in_i]", "feet": "[ft_i]", "mph": "[mi_i]/h", "kmh": "km/h", "kph": "km/h", "knots": "[kn_i]", "meter": "m", "metre": "m",
	"byte": "By", "bytes": "By", "kb": "kBy", "mb": "MBy", "gb": "GBy", "hertz": "Hz", "pascal": "Pa", "degree": "deg", "degrees": "deg",
}

// Meant is the code that was meant by a unit that UCUM does not have; "" = none is known.
func Meant(code string) string {
	if Known(code) {
		return ""
	}
	return meant[strings.ToLower(code)]
}
