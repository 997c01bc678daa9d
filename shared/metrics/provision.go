package metrics

var (
	knocks = newCounter("castor_provision_knocks_total",
		"Knocks of unknown devices by what became of them: waiting (new in the list), again (in it already), admitted (it came in), banned, refused (it said what cannot be).", "outcome")
	answered = newCounter("castor_provision_answers_total",
		"What devices that asked or knocked were told at once: accepted, pending, rejected.", "gateway", "status")
	gaveWay = newCounter("castor_provision_waiting_dropped_total",
		"Waiting devices that gave way to others because the list was full.").WithLabelValues()
	decisions = newCounter("castor_provision_decisions_total",
		"Decisions of people about provisioning: approved, declined, confirmed, admitted, banned, unbanned, forgotten; refused (what came with it cannot be).", "decision")
	reminders = newCounter("castor_provision_reminders_total",
		"Reminders of people whom a provisioning run waits for.").WithLabelValues()
)

// Knocked counts the knock of an unknown device: "waiting", "again", "admitted", "banned" or "refused".
func Knocked(outcome string) { knocks.WithLabelValues(outcome).Inc() }

// Answered counts what a device that asked or knocked at a gateway was told: "accepted", "pending" or "rejected".
func Answered(gateway, status string) { answered.WithLabelValues(gateway, status).Inc() }

// GaveWay counts waiting devices that were dropped for want of room.
func GaveWay(n int) { gaveWay.Add(float64(n)) }

// DecidedBy counts decisions of people about provisioning; what is one of a few words.
func DecidedBy(what string, n int) { decisions.WithLabelValues(what).Add(float64(n)) }

// Reminded counts a reminder of people.
func Reminded() { reminders.Inc() }
