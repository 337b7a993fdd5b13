//! The stand-ins, asked by AWS's own clients.

#[cfg(test)]
mod dynamo;
#[cfg(test)]
mod world;
