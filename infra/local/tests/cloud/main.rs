//! The stand-ins, asked by AWS's own clients.

#[cfg(test)]
mod bus;
#[cfg(test)]
mod dynamo;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod plumbing;
#[cfg(test)]
mod port;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod world;
