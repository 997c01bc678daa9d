// A codec as LoRa Alliance TS013 describes it. The temperature is in the first two bytes, in hundredths of a degree.
function decodeUplink(input) {
  var b = input.bytes;
  if (b.length < 3) {
    return { errors: ['the length of the frame is ' + b.length + ', it must be 3'] };
  }
  var raw = (b[0] << 8) | b[1];
  if (raw > 0x7fff) {
    raw -= 0x10000;
  }
  return { data: { temperature: raw / 100, humidity: b[2] / 2 } };
}

// Commands for the device, each by its name. Without a name a property is set.
function encodeDownlink(input) {
  if (input.command !== undefined && input.command !== 'interval') {
    return { errors: ['there is no command ' + input.command + ': the device knows interval'] };
  }
  return { fPort: 2, bytes: [1, input.data.interval >> 8, input.data.interval & 255] };
}
