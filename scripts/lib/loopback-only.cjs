// Preloaded into kinesis-mock, whose configuration names ports but no address: it would listen on
// every interface of the machine. Whatever address a server asks for, it gets the loopback one.
"use strict";

const net = require("net");
const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (first, ...rest) {
  const callback = rest.find((argument) => typeof argument === "function");
  if (typeof first === "number" || (typeof first === "string" && /^\d+$/.test(first))) {
    return listen.call(this, { port: Number(first), host: "127.0.0.1" }, callback);
  }
  if (first !== null && typeof first === "object" && first.port !== undefined) {
    return listen.call(this, { ...first, host: "127.0.0.1" }, callback);
  }
  throw new Error("loopback-only: a way to listen that cannot be kept on loopback");
};
