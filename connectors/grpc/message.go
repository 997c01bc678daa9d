package grpc

import (
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// place tells what a message is to the link: its kind and topic, which is the one that it would have on MQTT. The payload may be anything.
func place(ref device.Ref, m *pb.Message) (telemetry.Kind, string, error) {
	own, word := "castor/"+string(ref)+"/", m.GetWord()
	switch m.GetKind() {
	case pb.Message_LOG:
		if !device.TopicWord(word) {
			return "", "", status.Error(codes.InvalidArgument, "word must name the app of the log: 1 to 64 letters, digits, '.', '_' and '-'")
		}
		return telemetry.Log, own + "log/" + word, nil
	case pb.Message_RESPONSE:
		if !device.TopicWord(word) {
			return "", "", status.Error(codes.InvalidArgument, "word must be the id of the command that is answered: 1 to 64 letters, digits, '.', '_' and '-'")
		}
		return telemetry.Response, own + "command/" + word + "/response", nil
	}
	if word != "" {
		return "", "", status.Errorf(codes.InvalidArgument, "word must be empty, kind %s has none", m.GetKind())
	}
	switch m.GetKind() {
	case pb.Message_TELEMETRY:
		return telemetry.Telemetry, own + "telemetry", nil
	case pb.Message_STATE:
		return telemetry.State, own + "state/reported", nil
	case pb.Message_EVENT:
		return telemetry.Event, own + "event", nil
	}
	return "", "", status.Error(codes.InvalidArgument, "kind must be TELEMETRY, STATE, EVENT, LOG or RESPONSE")
}
