// Preloaded into emulate, which has no option for its address: servers of tests bind 127.0.0.1.
import net from "node:net";

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, _host, ready) {
  return listen.call(this, port, "127.0.0.1", ready);
};
